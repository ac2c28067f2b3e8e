"""Some items of a batch are run again, or canceled: those that a caller chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, Engine

from app.audit.recording import record
from app.batches.actions.lock import Moved, lock_batch, require
from app.batches.admission import admit
from app.batches.choices import UNSUCCESSFUL, Choice
from app.batches.long_work import IN_REQUEST, Pace, Work, begin, continue_long_work
from app.batches.long_work.canceling_chosen import count, work_to_cancel
from app.batches.queries import find_batch
from app.clients.quotas import OPEN_BATCHES, PENDING_ITEMS, Quotas
from app.core import lifecycle
from app.core.errors import WrongState
from app.core.lifecycle import FAILED, INVALID
from app.db import read, transaction
from app.db.statements.batches import BatchRow
from app.db.statements.item_choices import (
    ChosenItems,
    count_chosen_items,
    find_chosen_items,
)
from app.db.statements.long_work import DROP_SLICES
from app.db.statements.rows import row_of

ItemAction = Literal["retry", "cancel"]
ITEM_ACTIONS: tuple[ItemAction, ...] = ("retry", "cancel")


def act_on_items(
    engine: Engine,
    client_id: UUID,
    batch_id: UUID,
    action: ItemAction,
    choice: Choice,
    *,
    pace: Pace = IN_REQUEST,
    quotas: Quotas | None = None,
) -> int:
    """Run the chosen items again, or cancel them; how many. The caller sends `advance` then.

    `retry`: unsuccessful items of an ended batch. `cancel`: PENDING items of one that has not
    ended; those that a worker holds are passed over. What there is no time for here (`pace`) is the
    batch's `doing`, and none of it begins meanwhile. Raises NotFound, WrongState where nothing is
    chosen or the state does not allow it, and OverQuota.

    To find what is chosen may mean to look at every item of the batch (by key, as CANCELED, as
    PENDING): that is done before, and nobody waits for it but the caller. As many as make one step
    are then chosen by their indexes.
    """
    found = read(
        engine, lambda connection: _look(connection, client_id, batch_id, action, choice, pace)
    )
    with transaction(engine) as connection:
        batch = lock_batch(connection, client_id, batch_id)
        require(batch, *_ALLOWED[action])
        act = _retry if action == "retry" else _cancel
        selected, moved = act(connection, batch, found, pace)
        _record(connection, batch, action, choice, items=selected)
        if action == "retry":
            admit(connection, batch.client_id, quotas, raised=(OPEN_BATCHES, PENDING_ITEMS))
    if moved.more:
        continue_long_work(engine, batch_id, pace)
    return selected


_ALLOWED: Mapping[ItemAction, tuple[Sequence[str], str]] = {
    "retry": (lifecycle.BATCH_ENDED, "have items retried"),
    "cancel": (lifecycle.BATCH_UNENDED, "have items canceled"),
}


@dataclass(frozen=True, slots=True)
class _Found:
    """`given`: of the items that are chosen. `count`: how many can be canceled, if very many."""

    given: Mapping[str, Any]
    count: int | None = None


def _look(
    connection: Connection,
    client_id: UUID,
    batch_id: UUID,
    action: ItemAction,
    choice: Choice,
    pace: Pace,
) -> _Found:
    """What is chosen, found without a lock, where the batch's state allows the action just then."""
    require(find_batch(connection, client_id, batch_id), *_ALLOWED[action])
    if action == "retry":
        choice = replace(choice, statuses=choice.statuses or UNSUCCESSFUL)
    else:
        choice = replace(choice, statuses=(lifecycle.PENDING,))
    given = choice.given()
    if choice.indexes is None:
        have_a_code = choice.code is not None or set(choice.statuses) <= {FAILED, INVALID}
        statement = find_chosen_items(frozenset(given), have_a_code=have_a_code)
        where = {**given, "batch_id": batch_id, "limit": pace.items + 1}
        indexes = sorted(connection.execute(statement, where).scalars())
        if len(indexes) <= pace.items:
            given |= {"indexes": indexes}
    if action == "cancel":
        del given["statuses"]
        if "indexes" not in given:
            return _Found(given, count(connection, batch_id, given))
    return _Found(given)


def _retry(connection: Connection, batch: BatchRow, found: _Found, pace: Pace) -> tuple[int, Moved]:
    given = found.given
    counts = row_of(
        ChosenItems,
        connection.execute(count_chosen_items(frozenset(given)), {**given, "batch_id": batch.id}),
    )
    assert counts is not None  # noqa: S101 (an aggregate is always a row)
    selected = counts.failed + counts.invalid + counts.canceled
    if not selected:
        raise _nothing(batch, "retried")
    connection.execute(DROP_SLICES, {"batch_id": batch.id})
    work = Work(
        lifecycle.RETRY,
        index=batch.total,
        total=selected,
        where={"given": dict(given), "counts": asdict(counts)},
    )
    return selected, Moved(advance=True, more=begin(connection, batch, work, pace))


def _cancel(
    connection: Connection, batch: BatchRow, found: _Found, pace: Pace
) -> tuple[int, Moved]:
    work = work_to_cancel(connection, batch, found.given, found.count)
    if not work.total:
        raise _nothing(batch, "canceled")
    return work.total, Moved(advance=True, more=begin(connection, batch, work, pace))


def _nothing(batch: BatchRow, what: str) -> WrongState:
    return WrongState(f"The batch is {batch.status}, and no item is chosen that can be {what}.")


def _record(
    connection: Connection, batch: BatchRow, action: str, choice: Choice, **more: int
) -> None:
    record(
        connection,
        f"items.{action}",
        client_id=batch.client_id,
        batch_id=batch.id,
        detail={**choice.told(), **more},
    )
