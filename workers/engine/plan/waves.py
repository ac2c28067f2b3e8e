"""A wave's slices as rows: written, sent again, and folded into their batch when they are done."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import Connection

from app.db import after_commit
from app.db.statements.batch_progress import ADD_COUNTS_TO_BATCH, NOTE_WAVE_OF_BATCH
from app.db.statements.batches import BatchRow
from app.db.statements.rows import rows_of
from app.db.statements.slices import (
    CREATE_SLICES,
    FOLD_SLICES,
    SEND_MARKED_SLICES,
    FoldedSlice,
    SentSlice,
)
from app.events.listeners import SliceFolded, listener
from workers.engine.plan.costs import learn
from workers.engine.plan.planner import Plan
from workers.engine.planned_slice import PlannedSlice


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
    connection.execute(
        NOTE_WAVE_OF_BATCH,
        {"batch_id": batch.id, "wave": batch.wave + 1, "next_index": plan.next_index},
    )
    after_commit(connection, lambda: listener().wave_written(batch.operation))


def send_again(connection: Connection, batch: BatchRow) -> list[tuple[int, PlannedSlice]]:
    """The slices of the batch's wave that are marked to be sent at once, by number."""
    rows = rows_of(SentSlice, connection.execute(SEND_MARKED_SLICES, {"batch_id": batch.id}))
    return sorted(((row.number, planned(row)) for row in rows), key=lambda pair: pair[0])


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


def fold_wave(connection: Connection, batch: BatchRow) -> None:
    """Add the wave's counts to the batch, learn what its items cost, and drop its slices."""
    done = rows_of(FoldedSlice, connection.execute(FOLD_SLICES, {"batch_id": batch.id}))
    if not done:
        return
    completed = sum(row.completed for row in done)
    failed = sum(row.failed for row in done)
    invalid = sum(row.invalid for row in done)
    connection.execute(
        ADD_COUNTS_TO_BATCH,
        {
            "batch_id": batch.id,
            "completed": completed,
            "failed": failed,
            "invalid": invalid,
            "tried": sum(row.size for row in done),
        },
    )
    measured: dict[str, tuple[int, float]] = {}
    for row in done:
        # Items that were put off took time too, so a slice with many of them measures nothing.
        tried = row.completed + row.failed
        if row.operation and row.phase == "run" and tried and tried >= 0.8 * row.size:
            items, seconds = measured.get(row.operation, (0, 0.0))
            measured[row.operation] = (items + tried, seconds + row.seconds)
    for operation, (items, seconds) in sorted(measured.items()):
        learn(connection, operation, items=items, seconds=seconds)
    news = [SliceFolded(**asdict(row)) for row in done]
    after_commit(connection, lambda: listener().folded(batch.id, news))
