"""A wave's slices as rows: written, sent again, and folded into their batch when they are done."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, insert, text, update

from app.db import after_commit
from app.db.models import Batch, Slice
from app.events.listeners import SliceFolded, listener
from workers.engine.plan.costs import learn
from workers.engine.plan.planner import Plan
from workers.engine.planned_slice import PlannedSlice

_FOLD = text(
    """
    DELETE FROM slices WHERE batch_id = :batch_id AND state = 'DONE'
    RETURNING phase, operation, completed, failed, invalid, seconds, size
    """
)
# What a paused batch's workers left, or a worker gave back, bears the mark.
_SEND_AGAIN = text(
    """
    UPDATE slices SET sent_at = now()
    WHERE batch_id = :batch_id AND state = 'READY' AND sent_at = '-infinity'
      AND (not_before IS NULL OR not_before <= now())
    RETURNING number, first_index, last_index, size, queue, operation, limited
    """
)


def write_wave(connection: Connection, batch: Any, plan: Plan) -> None:
    """Write the planned slices as the batch's next wave."""
    connection.execute(
        insert(Slice),
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
        update(Batch)
        .where(Batch.id == batch.id)
        .values(wave=batch.wave + 1, next_index=plan.next_index, due_at=None)
    )
    after_commit(connection, lambda: listener().wave_written(batch.operation))


def send_again(connection: Connection, batch: Any) -> list[tuple[int, PlannedSlice]]:
    """The slices of the batch's wave that are marked to be sent at once, by number."""
    rows = connection.execute(_SEND_AGAIN, {"batch_id": batch.id}).all()
    return sorted(((row.number, planned(row)) for row in rows), key=lambda pair: pair[0])


def planned(row: Row[Any], delay: float = 0.0) -> PlannedSlice:
    """What is sent of a slice that is already a row. Its picks stay where they are."""
    return PlannedSlice(
        row.first_index,
        row.last_index,
        row.size,
        row.queue,
        row.operation,
        limited=row.limited,
        delay=delay,
    )


def fold_wave(connection: Connection, batch: Any) -> None:
    """Add the wave's counts to the batch, learn what its items cost, and drop its slices."""
    done = connection.execute(_FOLD, {"batch_id": batch.id}).all()
    if not done:
        return
    completed = sum(row.completed for row in done)
    failed = sum(row.failed for row in done)
    invalid = sum(row.invalid for row in done)
    ended = completed + failed + invalid
    connection.execute(
        update(Batch)
        .where(Batch.id == batch.id)
        .values(
            completed=Batch.completed + completed,
            failed=Batch.failed + failed,
            invalid=Batch.invalid + invalid,
            stalled=0 if ended else Batch.stalled + sum(row.size for row in done),
            revision=Batch.revision + 1,
        )
    )
    measured: dict[str, tuple[int, float]] = {}
    for row in done:
        # What was put off took its time too, so that a slice with much of it says nothing.
        tried = row.completed + row.failed
        if row.operation and row.phase == "run" and tried and tried >= 0.8 * row.size:
            items, seconds = measured.get(row.operation, (0, 0.0))
            measured[row.operation] = (items + tried, seconds + row.seconds)
    for operation, (items, seconds) in sorted(measured.items()):
        learn(connection, operation, items=items, seconds=seconds)
    news = [SliceFolded(**row._mapping) for row in done]
    after_commit(connection, lambda: listener().folded(batch.id, news))
