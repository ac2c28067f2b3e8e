"""Making steps: the first one in the transaction that asks for the work, each other in its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from enum import Enum
from uuid import UUID

from sqlalchemy import Connection, Engine

from app.batches.long_work import canceling, canceling_chosen, removing, retrying
from app.batches.long_work.pace import BEHIND, PAUSE, Pace
from app.batches.long_work.work import Work, end_work, fits, note_work, work_of
from app.core import lifecycle
from app.db import transaction
from app.db.statements.batches import BatchRow, lock_batch_row
from app.db.statements.lanes import DROP_LANE_CHUNKS
from app.db.statements.rows import row_of

Step = Callable[[Connection, BatchRow, Work, int], Work | None]
"""Makes a step over at most so many items; what is left, None where it was the last one."""

_STEPS: Mapping[str, Step] = {
    lifecycle.CANCEL: canceling.step,
    lifecycle.CANCEL_ITEMS: canceling_chosen.step,
    lifecycle.RETRY: retrying.step,
    lifecycle.RESET: removing.reset_step,
    lifecycle.DELETE: removing.delete_step,
}


class Left(Enum):
    """What there is still to do after some steps."""

    NOTHING = "nothing"
    MORE = "more"
    FOR_OTHERS = "for others"
    """The batch is locked, or gone, or what it does is not for this function."""


def begin(connection: Connection, batch: BatchRow, work: Work, pace: Pace) -> bool:
    """Make the work's first step; whether more is left. The caller has locked `batch`."""
    left = _STEPS[work.action](connection, batch, work, pace.items)
    if left is not None:
        note_work(connection, batch.id, left)
    return left is not None


def cancel_all(connection: Connection, batch: BatchRow, pace: Pace) -> bool:
    """Begin to cancel what nobody holds of `batch`, which is being stopped; whether more is left.

    In place of what the batch was doing: lanes that were still to be marked are not needed.
    """
    if batch.doing is not None:
        everything = {"batch_id": batch.id, "first": 0, "end": batch.total}
        connection.execute(DROP_LANE_CHUNKS, everything)
    work = Work(lifecycle.CANCEL, index=batch.total, total=max(0, batch.total - batch.ended_items))
    return begin(connection, batch, work, pace)


def continue_long_work(engine: Engine, batch_id: UUID, pace: Pace = BEHIND) -> Left:
    """Make steps of what the batch is doing, until that is done or `pace.seconds` have passed.

    At least one, and each in a transaction of its own. May be called by anybody, at any time and
    any number at once: the batch's row is locked for each step, and never waited for.
    """
    until = time.monotonic() + pace.seconds
    left = Left.MORE
    while left is Left.MORE:
        left = _one_step(engine, batch_id, pace.items)
        if left is not Left.MORE or time.monotonic() >= until:
            break
        time.sleep(PAUSE)
    return left


def _one_step(engine: Engine, batch_id: UUID, most: int) -> Left:
    with transaction(engine) as connection:
        found = connection.execute(lock_batch_row(if_free=True), {"batch_id": batch_id})
        batch = row_of(BatchRow, found)
        if batch is None:
            return Left.FOR_OTHERS
        work = work_of(batch)
        if work is None:
            return Left.NOTHING
        if work.action not in _STEPS:
            return Left.FOR_OTHERS
        if not fits(work, batch):
            end_work(connection, batch_id)
            return Left.NOTHING
        left = _STEPS[work.action](connection, batch, work, most)
        if left is None:
            return Left.NOTHING
        note_work(connection, batch_id, left)
        return Left.MORE
