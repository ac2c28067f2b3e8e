"""Some items of a batch are run again, or canceled: those that a caller chooses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, Engine, TextClause

from app.audit.recording import record
from app.batches.actions.lock import Moved, lock_batch, require
from app.batches.admission import admit
from app.batches.choices import UNSUCCESSFUL, Choice
from app.batches.long_work import IN_REQUEST, Pace, Work, begin, continue_long_work
from app.batches.long_work.work import tell
from app.clients.quotas import OPEN_BATCHES, PENDING_ITEMS, Quotas
from app.core import lifecycle
from app.core.errors import WrongState
from app.db import transaction
from app.db.statements.batches import BatchRow
from app.db.statements.item_choices import (
    ADD_CANCELED_ITEMS,
    LOCK_READY_SLICES,
    ChosenItems,
    LockedSlice,
    cancel_chosen_items,
    count_chosen_items,
)
from app.db.statements.long_work import DROP_SLICES
from app.db.statements.rows import row_of, rows_of

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

    `retry`: unsuccessful items of an ended batch. What there is no time for here (`pace`) is the
    batch's `doing`. `cancel`: PENDING items of one that has not ended, in steps, each a
    transaction; those that a worker holds are passed over. Raises NotFound, WrongState where
    nothing is chosen or the state does not allow it, and OverQuota.
    """
    if action == "cancel":
        return _cancel(engine, client_id, batch_id, choice, pace)
    with transaction(engine) as connection:
        batch = lock_batch(connection, client_id, batch_id)
        selected, moved = _retry(connection, batch, choice, pace)
        _record(connection, batch, action, choice, items=selected)
        admit(connection, batch.client_id, quotas, raised=(OPEN_BATCHES, PENDING_ITEMS))
    if moved.more:
        continue_long_work(engine, batch_id, pace)
    return selected


def _retry(
    connection: Connection, batch: BatchRow, choice: Choice, pace: Pace
) -> tuple[int, Moved]:
    require(batch, lifecycle.BATCH_ENDED, "have items retried")
    if not choice.statuses:
        choice = replace(choice, statuses=UNSUCCESSFUL)
    given = choice.given()
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
        where={"given": given, "counts": asdict(counts)},
    )
    return selected, Moved(advance=True, more=begin(connection, batch, work, pace))


def _cancel(engine: Engine, client_id: UUID, batch_id: UUID, choice: Choice, pace: Pace) -> int:
    given = {name: value for name, value in choice.given().items() if name != "statuses"}
    statement = cancel_chosen_items(frozenset(given))
    selected, end = 0, None
    while True:
        with transaction(engine) as connection:
            batch = lock_batch(connection, client_id, batch_id)
            if end is None or not selected:
                require(batch, lifecycle.BATCH_UNENDED, "have items canceled")
            end = _end(batch, choice) if end is None else min(end, batch.total)
            first = 0 if choice.indexes is not None else max(0, end - pace.items)
            named = {**given, "batch_id": batch_id, "first": first, "end": end}
            canceled = cancel_step(connection, statement, named)
            if canceled:
                values = {"batch_id": batch_id, "canceled": canceled}
                connection.execute(ADD_CANCELED_ITEMS, values)
                tell(connection, batch_id)
                if not selected:
                    _record(connection, batch, "cancel", choice)
            selected += canceled
            if first == 0 and not selected:
                raise _nothing(batch, "canceled")
        end = first
        if end == 0:
            return selected


def cancel_step(connection: Connection, statement: TextClause, named: Mapping[str, Any]) -> int:
    """Cancel what `statement` chooses with those parameters; how many. The batch is locked."""
    ready = {"batch_id": named["batch_id"]}
    locked = rows_of(LockedSlice, connection.execute(LOCK_READY_SLICES, ready))
    slices = {
        "waves": [each.wave for each in locked],
        "numbers": [each.number for each in locked],
    }
    return connection.execute(statement, {**named, **slices}).rowcount


def _end(batch: BatchRow, choice: Choice) -> int:
    """Behind the last item that may be chosen: one that is PENDING has no failure."""
    return 0 if choice.failure is not None else batch.total


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
