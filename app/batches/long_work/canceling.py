"""A step of canceling: of a batch that is being stopped, items that nobody holds end CANCELED.

What claimed slices hold is passed over, and finishes. When a pass is through and nothing is under
way any more, the batch is settled; what was put off, or given back, behind the pass takes another.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from uuid import UUID

from sqlalchemy import Connection

from app.batches.long_work.work import Work, end_work
from app.batches.settling import settle
from app.batches.stop import drop_ready_slices
from app.db import after_commit
from app.db.statements.batch_progress import ADD_COUNTS_TO_BATCH
from app.db.statements.batches import BatchRow
from app.db.statements.long_work import (
    ADD_CANCELED_TO_BATCH,
    CANCEL_ITEMS_NOT_HELD,
    LOOK_AT_SLICES,
    UnfinishedSlices,
)
from app.db.statements.rows import row_of, rows_of
from app.db.statements.slices import FOLD_SLICES, FoldedSlice
from app.events.listeners import SliceFolded, listener


def step(connection: Connection, batch: BatchRow, work: Work, most: int) -> Work | None:
    """Cancel those of the next `most` items that nobody holds. What is left of the work."""
    first = max(0, work.index - most)
    canceled = connection.execute(
        CANCEL_ITEMS_NOT_HELD, {"batch_id": batch.id, "first": first, "end": work.index}
    ).rowcount
    connection.execute(ADD_CANCELED_TO_BATCH, {"batch_id": batch.id, "canceled": canceled})
    left = replace(work, index=first, done=min(work.done + canceled, work.total))
    if first > 0:
        return left
    if anything_under_way(connection, batch.id):
        # `advance` goes on with what is left by then, when that is over.
        if batch.doing is not None:
            end_work(connection, batch.id)
        return None
    _fold(connection, batch)
    if settle(connection, batch.id) is not None:
        return None
    return replace(left, index=batch.total)


def anything_under_way(connection: Connection, batch_id: UUID) -> bool:
    """Whether a slice of the batch, which is being stopped, is claimed. No READY one is left.

    A slice that was claimed when the READY ones were dropped may have been given back since. So
    this looks, drops, and looks again: where all slices are over in one look, they stay so.
    """
    while True:
        found = row_of(UnfinishedSlices, connection.execute(LOOK_AT_SLICES, {"batch_id": batch_id}))
        assert found is not None  # noqa: S101 (an aggregate is always a row)
        if not found.ready:
            return found.unfinished > 0
        drop_ready_slices(connection, batch_id)


def _fold(connection: Connection, batch: BatchRow) -> None:
    """Add to the batch what its last slices, which are over, brought."""
    done = rows_of(FoldedSlice, connection.execute(FOLD_SLICES, {"batch_id": batch.id}))
    if not done:
        return
    connection.execute(
        ADD_COUNTS_TO_BATCH,
        {
            "batch_id": batch.id,
            "completed": sum(row.completed for row in done),
            "failed": sum(row.failed for row in done),
            "invalid": sum(row.invalid for row in done),
            "stalled": 0,
            "progress_at": None,
        },
    )
    news = [
        SliceFolded(**{name: value for name, value in asdict(row).items() if name != "claimed_at"})
        for row in done
    ]
    after_commit(connection, lambda: listener().folded(batch.id, news))
