"""Slices as rows: written, sent again, and folded into their batch when they are done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from app.batches.phase import CALLING
from app.db import after_commit
from app.db.statements.batch_progress import (
    ADD_COUNTS_TO_BATCH,
    NOTE_WAVE_OF_BATCH,
    BegunBatch,
)
from app.db.statements.batches import BatchRow
from app.db.statements.rows import row_of, rows_of
from app.db.statements.slices import (
    CREATE_SLICES,
    FOLD_SLICES,
    SEND_MARKED_SLICES,
    FoldedSlice,
    SentSlice,
)
from app.events.listeners import SliceFolded, listener
from workers.engine.plan.beginning import begins, tell_of_beginning
from workers.engine.plan.planner import Plan
from workers.engine.planned_slice import PlannedSlice
from workers.engine.runtime import Runtime

Waves = dict[int, list[tuple[int, PlannedSlice]]]
"""Slices to be sent, with their numbers, by wave."""


def write_wave(connection: Connection, batch: BatchRow, plan: Plan) -> None:
    """Write the planned slices as the batch's next wave."""
    connection.execute(
        CREATE_SLICES,
        [
            {
                "batch_id": batch.id,
                "wave": batch.wave + 1,
                "number": number,
                "operation": planned.operation,
                "queue": planned.queue,
                "phase": batch.phase,
                "first_index": planned.first_index,
                "last_index": planned.last_index,
                "picks": planned.picks,
                "size": planned.size,
                "limited": planned.limited,
            }
            for number, planned in enumerate(plan.slices)
        ],
    )
    noted = connection.execute(
        NOTE_WAVE_OF_BATCH,
        {
            "batch_id": batch.id,
            "wave": batch.wave + 1,
            "next_index": plan.next_index,
            "more": plan.more,
            "begins": begins(batch),
        },
    )
    begun = row_of(BegunBatch, noted)
    assert begun is not None  # noqa: S101 (it is locked)
    tell_of_beginning(connection, batch, begun)
    after_commit(connection, lambda: listener().wave_written(batch.operation))


def send_again(connection: Connection, batch: BatchRow) -> Waves:
    """The slices of the batch that are marked to be sent at once."""
    waves: Waves = {}
    rows = rows_of(SentSlice, connection.execute(SEND_MARKED_SLICES, {"batch_id": batch.id}))
    for row in sorted(rows, key=lambda row: (row.wave, row.number)):
        waves.setdefault(row.wave, []).append((row.number, planned(row)))
    return waves


def planned(row: SentSlice, delay: float = 0.0) -> PlannedSlice:
    """The message for a slice that is already a row; its picks are read from there."""
    return PlannedSlice(
        row.first_index,
        row.last_index,
        row.size,
        row.queue,
        row.operation,
        limited=row.limited,
        delay=delay,
    )


def fold_slices(runtime: Runtime, connection: Connection, batch: BatchRow) -> BatchRow:
    """Add what slices that are done brought to the batch, and drop them; the batch as it then is.

    Other slices of it may still be under way.
    """
    done = rows_of(FoldedSlice, connection.execute(FOLD_SLICES, {"batch_id": batch.id}))
    if not done:
        return batch
    completed = sum(row.completed for row in done)
    failed = sum(row.failed for row in done)
    invalid = sum(row.invalid for row in done)
    vain = tried_in_vain(batch.stalled, batch.progress_at, done)
    connection.execute(
        ADD_COUNTS_TO_BATCH,
        {
            "batch_id": batch.id,
            "completed": completed,
            "failed": failed,
            "invalid": invalid,
            "stalled": vain.items,
            "progress_at": vain.progress_at,
        },
    )
    for row in done:
        # Items that were put off took time too, so a slice with many of them measures nothing.
        tried = row.completed + row.failed
        if row.operation and row.phase in CALLING and tried and tried >= 0.8 * row.size:
            runtime.costs.note(row.operation, items=tried, seconds=row.seconds)
    after_commit(connection, lambda: runtime.costs.write(runtime.engine))
    news = [
        SliceFolded(**{name: value for name, value in asdict(row).items() if name != "claimed_at"})
        for row in done
    ]
    after_commit(connection, lambda: listener().folded(batch.id, news))
    return replace(
        batch,
        completed=batch.completed + completed,
        failed=batch.failed + failed,
        invalid=batch.invalid + invalid,
        stalled=vain.items,
        progress_at=vain.progress_at,
    )


@dataclass(frozen=True, slots=True)
class TriedInVain:
    """How many items were tried since the last one that ended, which was at `progress_at`."""

    items: int
    progress_at: datetime | None


def tried_in_vain(
    before: int, progress_at: datetime | None, done: Sequence[FoldedSlice]
) -> TriedInVain:
    """That, with the slices that are now done.

    A slice counts if it brought nothing, and began after the last of the batch's items had ended:
    slices run beside one another, and are folded in no order.
    """
    ends = [
        row.claimed_at + timedelta(seconds=row.seconds)
        for row in done
        if row.completed + row.failed + row.invalid and row.claimed_at is not None
    ]
    progress = max([*ends, *([progress_at] if progress_at else [])], default=None)
    if progress != progress_at:
        before = 0
    return TriedInVain(
        before
        + sum(
            row.size
            for row in done
            if not row.completed + row.failed + row.invalid
            and (progress is None or row.claimed_at is None or row.claimed_at >= progress)
        ),
        progress,
    )
