"""A step of canceling some items: those that a caller chose end CANCELED, and the batch goes on.

Until it is done nothing more of the batch is planned, and what is under way finishes: that is
passed over. What the engine did in steps before, to find the lanes of a large batch, is gone on
with afterwards, from where it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from app.batches.long_work.work import Work, end_work, note_work, tell, work_of
from app.core import lifecycle
from app.db.statements.batches import BatchRow
from app.db.statements.item_choices import (
    ADD_CANCELED_ITEMS,
    LIST_READY_SLICES,
    LOCK_READY_SLICES,
    ReadySlice,
    cancel_chosen_items,
    cancel_ready_items,
    count_cancelable_items,
)
from app.db.statements.rows import rows_of


def count(connection: Connection, batch_id: UUID, given: Mapping[str, Any]) -> int:
    """How many items can be canceled for which `given` holds: PENDING, and held by no worker.

    All of the batch are looked at, however many that are, so nothing is locked meanwhile.
    """
    found = connection.execute(LIST_READY_SLICES, {"batch_id": batch_id})
    where = {**given, **_named(batch_id, rows_of(ReadySlice, found))}
    return int(connection.execute(count_cancelable_items(frozenset(given)), where).scalar_one())


def work_to_cancel(
    connection: Connection, batch: BatchRow, given: Mapping[str, Any], total: int | None
) -> Work:
    """The work of canceling the items for which `given` holds; its `total` is how many there are.

    `given`: a Choice's, without statuses. `total`: None where they are few enough to be counted
    here. The batch's row is locked. What waits in slices is canceled here, since those could be
    claimed before its turn has come: there are at most two for each live slot.
    """
    named = {**given, **_held(connection, batch.id)}
    names = frozenset(given)
    if total is None:
        total = int(connection.execute(count_cancelable_items(names), named).scalar_one())
    canceled = 0
    if total and named["waves"]:
        canceled = connection.execute(cancel_ready_items(names), named).rowcount
    if canceled:
        _count(connection, batch.id, canceled)
    before = work_of(batch)
    return Work(
        lifecycle.CANCEL_ITEMS,
        index=batch.total,
        total=total,
        done=canceled,
        where={"given": dict(given), "after": None if before is None else asdict(before)},
    )


def step(connection: Connection, batch: BatchRow, work: Work, most: int) -> Work | None:
    """Cancel those of the next `most` items that are chosen. What is left of the work."""
    assert work.where is not None  # noqa: S101 (it is made by work_to_cancel)
    given = work.where["given"]
    # Of indexes there are no more than a step has items.
    first = 0 if "indexes" in given else max(0, work.index - most)
    where = {**given, **_held(connection, batch.id), "first": first, "end": work.index}
    canceled = connection.execute(cancel_chosen_items(frozenset(given)), where).rowcount
    left = replace(work, index=first, done=min(work.done + canceled, work.total))
    if canceled or not first:
        _count(connection, batch.id, canceled)
    if first:
        return left
    if batch.doing == lifecycle.CANCEL_ITEMS:
        _go_on(connection, batch.id, work.where["after"])
    return None


def _count(connection: Connection, batch_id: UUID, canceled: int) -> None:
    connection.execute(ADD_CANCELED_ITEMS, {"batch_id": batch_id, "canceled": canceled})
    tell(connection, batch_id)


def _go_on(connection: Connection, batch_id: UUID, after: Mapping[str, Any] | None) -> None:
    if after is None:
        end_work(connection, batch_id)
    else:
        note_work(connection, batch_id, Work(**after))


def _held(connection: Connection, batch_id: UUID) -> dict[str, Any]:
    """The batch and its READY slices, which are locked: their items may be canceled."""
    found = connection.execute(LOCK_READY_SLICES, {"batch_id": batch_id})
    return _named(batch_id, rows_of(ReadySlice, found))


def _named(batch_id: UUID, ready: Sequence[ReadySlice]) -> dict[str, Any]:
    return {
        "batch_id": batch_id,
        "waves": [each.wave for each in ready],
        "numbers": [each.number for each in ready],
    }
