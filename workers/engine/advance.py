"""Moving a batch on: the one function behind submission, the chord's callback, and the sweep.

Called at any time, any number of times, by anybody: it looks at the rows, under a lock on the
batch's row, and does what is next. It never relies on having been called before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, insert, text, update

from app.batches import lifecycle
from app.batches.settling import cancel_rest, settle
from app.db import transaction
from app.models import Batch, Slice
from workers.engine.costs import learn
from workers.engine.deferrals import release_stuck
from workers.engine.lanes import find_lanes
from workers.engine.planning import PlannedSlice, plan_wave
from workers.engine.runtime import Runtime

log = structlog.get_logger(__name__)

_LOCK = text("SELECT * FROM batches WHERE id = :batch_id FOR NO KEY UPDATE")
_UNFINISHED = text("SELECT count(*) FROM slices WHERE batch_id = :batch_id AND state <> 'DONE'")
_FOLD = text(
    """
    DELETE FROM slices WHERE batch_id = :batch_id AND state = 'DONE'
    RETURNING phase, operation, completed, failed, invalid, seconds, size
    """
)
_NEXT_DUE = text(
    """
    SELECT extract(epoch FROM min(due_at) - now()) FROM items
    WHERE batch_id = :batch_id AND due_at IS NOT NULL AND status = 'PENDING'
    """
)


@dataclass(slots=True)
class _Next:
    """What is to be sent once the transaction has committed."""

    wave: int = 0
    slices: list[PlannedSlice] = field(default_factory=list)
    again_after: float | None = None


def advance(runtime: Runtime, batch_id: UUID) -> None:
    """Fold in what the wave brought, and begin the next one, or settle the batch.

    Idempotent. Does nothing for a batch that is gone, not started, paused or ended, or whose wave
    still has slices to do.
    """
    while True:
        with transaction(runtime.engine) as connection:
            todo = _advance(runtime, connection, batch_id)
        if todo is None:
            return
        if todo.slices:
            runtime.send_wave(batch_id, todo.wave, list(enumerate(todo.slices)))
            return
        if todo.again_after is None:
            continue
        runtime.send_advance(batch_id, todo.again_after)
        return


def _advance(runtime: Runtime, connection: Connection, batch_id: UUID) -> _Next | None:
    batch = connection.execute(_LOCK, {"batch_id": batch_id}).one_or_none()
    if batch is None or batch.status not in (
        lifecycle.PENDING,
        lifecycle.RUNNING,
        lifecycle.PAUSED,
    ):
        return None
    if connection.execute(_UNFINISHED, {"batch_id": batch_id}).scalar_one():
        return None
    _fold(connection, batch)
    if batch.stopping:
        cancel_rest(connection, batch_id)
        settle(connection, batch_id)
        return None
    if batch.status == lifecycle.PAUSED:
        return None
    if batch.status == lifecycle.PENDING:
        _begin(connection, batch)
    batch = connection.execute(_LOCK, {"batch_id": batch_id}).one()
    release_stuck(connection, batch)
    plan = plan_wave(connection, runtime.settings, runtime.registry, batch)
    if plan.slices:
        _write_wave(connection, batch, plan.slices, plan.next_index)
        return _Next(batch.wave + 1, plan.slices)
    if plan.next_index != batch.next_index:
        connection.execute(
            update(Batch).where(Batch.id == batch_id).values(next_index=plan.next_index)
        )
        return _Next()
    if batch.phase == "validate":
        return _end_of_validation(connection, batch)
    return _wait_or_settle(connection, batch)


def _fold(connection: Connection, batch: Any) -> None:
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
        if row.operation and row.phase == "run" and row.completed + row.failed == row.size:
            items, seconds = measured.get(row.operation, (0, 0.0))
            measured[row.operation] = (items + row.size, seconds + row.seconds)
    for operation, (items, seconds) in sorted(measured.items()):
        learn(connection, operation, items=items, seconds=seconds)


def _begin(connection: Connection, batch: Any) -> None:
    if batch.may_repeat and batch.next_index == 0:
        find_lanes(connection, batch.id)
    connection.execute(
        update(Batch)
        .where(Batch.id == batch.id, Batch.status == lifecycle.PENDING)
        .values(
            status=lifecycle.RUNNING,
            started_at=text("coalesce(started_at, clock_timestamp())"),
            due_at=None,
            revision=Batch.revision + 1,
        )
    )


def _write_wave(
    connection: Connection, batch: Any, slices: list[PlannedSlice], next_index: int
) -> None:
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
            }
            for number, planned in enumerate(slices)
        ],
    )
    connection.execute(
        update(Batch)
        .where(Batch.id == batch.id)
        .values(wave=batch.wave + 1, next_index=next_index, due_at=None)
    )


def _end_of_validation(connection: Connection, batch: Any) -> _Next | None:
    """onInvalid: reject. All items have been looked at: none runs if one is invalid."""
    if batch.invalid:
        cancel_rest(connection, batch.id)
        settle(connection, batch.id)
        return None
    connection.execute(
        update(Batch)
        .where(Batch.id == batch.id)
        .values(phase="dry" if batch.dry_run else "run", next_index=0)
    )
    return _Next()


def _wait_or_settle(connection: Connection, batch: Any) -> _Next | None:
    wait = connection.execute(_NEXT_DUE, {"batch_id": batch.id}).scalar()
    if wait is None:
        settle(connection, batch.id)
        return None
    connection.execute(
        update(Batch)
        .where(Batch.id == batch.id)
        .values(due_at=text("now() + make_interval(secs => :wait)").bindparams(wait=float(wait)))
    )
    return _Next(again_after=max(0.0, float(wait)))
