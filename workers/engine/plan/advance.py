"""Moving a batch on: the one function behind submission, the chord's callback, and the sweep.

It may be called at any time, any number of times: it reads the rows, under a lock on the batch's
row, and does what comes next. It never relies on an earlier call.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

import structlog
from sqlalchemy import Connection

from app.batches.settling import cancel_rest, settle
from app.batches.stop import drop_ready_slices, failures_so_far, request_stop
from app.core import lifecycle
from app.core.correlation import note
from app.db import transaction
from app.db.statements.batch_progress import (
    BEGIN_BATCH,
    END_VALIDATION_OF_BATCH,
    SET_DUE_OF_BATCH,
    SET_NEXT_INDEX_OF_BATCH,
)
from app.db.statements.batches import BatchRow, lock_batch_row
from app.db.statements.item_planning import (
    GET_FIRST_ITEM_LEFT,
    GET_WAIT_FOR_NEXT_ITEM,
    RESCUE_ITEMS,
)
from app.db.statements.rows import row_of
from app.db.statements.slices import COUNT_UNFINISHED_SLICES
from workers.engine.plan.lanes import find_lanes
from workers.engine.plan.planner import plan_wave
from workers.engine.plan.waves import fold_wave, send_again, write_wave
from workers.engine.planned_slice import PlannedSlice
from workers.engine.retries.deferrals import release_stuck
from workers.engine.runtime import Runtime

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Next:
    """What is to be sent once the transaction has committed."""

    wave: int = 0
    slices: list[tuple[int, PlannedSlice]] = field(default_factory=list)
    again_after: float | None = None


def advance(runtime: Runtime, batch_id: UUID) -> None:
    """Fold in what the wave brought, and begin the next one, or settle the batch.

    Idempotent. Does nothing for a batch that is gone, not started, paused or ended. Where its wave
    still has slices to do, those of them that ask for it are sent again.
    """
    note(batch=batch_id)
    while True:
        with transaction(runtime.engine) as connection:
            todo = _advance(runtime, connection, batch_id)
        if todo is None:
            return
        if todo.slices:
            runtime.send_wave(batch_id, todo.wave, todo.slices)
            return
        if todo.again_after is None:
            continue
        runtime.send_advance(batch_id, todo.again_after)
        return


def _advance(runtime: Runtime, connection: Connection, batch_id: UUID) -> _Next | None:
    batch = _locked(connection, batch_id)
    if batch is None or batch.status not in (
        lifecycle.PENDING,
        lifecycle.RUNNING,
        lifecycle.PAUSED,
    ):
        return None
    note(client=batch.client_id)
    if batch.stopping:
        drop_ready_slices(connection, batch_id)
    if connection.execute(COUNT_UNFINISHED_SLICES, {"batch_id": batch_id}).scalar_one():
        if batch.status != lifecycle.RUNNING or batch.stopping:
            return None
        again = send_again(connection, batch)
        return _Next(batch.wave, again) if again else None
    fold_wave(connection, batch)
    if batch.stopping or _too_many_failed(connection, batch):
        _stop(connection, batch_id)
        return None
    if batch.status == lifecycle.PAUSED:
        return None
    if batch.status == lifecycle.PENDING:
        _begin(runtime, connection, batch)
    batch = _locked(connection, batch_id)
    assert batch is not None  # noqa: S101 (this transaction holds its row)
    if release_stuck(connection, batch):
        return _Next()
    plan = plan_wave(connection, runtime.settings, runtime.registry, batch)
    if plan.slices:
        write_wave(connection, batch, plan)
        return _Next(batch.wave + 1, list(enumerate(plan.slices)))
    if plan.next_index != batch.next_index:
        connection.execute(
            SET_NEXT_INDEX_OF_BATCH, {"batch_id": batch_id, "next_index": plan.next_index}
        )
        return _Next()
    if batch.phase == "validate":
        return _end_of_validation(connection, batch)
    return _wait_or_settle(connection, batch)


def _locked(connection: Connection, batch_id: UUID) -> BatchRow | None:
    return row_of(BatchRow, connection.execute(lock_batch_row(), {"batch_id": batch_id}))


def _too_many_failed(connection: Connection, batch: BatchRow) -> bool:
    """Whether `maxFailures` is exceeded. Slices that run side by side do not see each other's."""
    if batch.max_failures is None or batch.phase == "validate":
        return False
    if failures_so_far(connection, batch.id) <= batch.max_failures:
        return False
    request_stop(connection, batch.id, lifecycle.STOP_MAX_FAILURES)
    return True


def _stop(connection: Connection, batch_id: UUID) -> None:
    cancel_rest(connection, batch_id)
    settle(connection, batch_id)


def _begin(runtime: Runtime, connection: Connection, batch: BatchRow) -> None:
    if batch.may_repeat:
        find_lanes(connection, runtime.registry, batch)
    connection.execute(BEGIN_BATCH, {"batch_id": batch.id})


def _end_of_validation(connection: Connection, batch: BatchRow) -> _Next | None:
    """What comes after validation (onInvalid: reject): no item runs if one is invalid."""
    if batch.invalid:
        _stop(connection, batch.id)
        return None
    first = connection.execute(GET_FIRST_ITEM_LEFT, {"batch_id": batch.id}).scalar()
    connection.execute(
        END_VALIDATION_OF_BATCH,
        {
            "batch_id": batch.id,
            "phase": "dry" if batch.dry_run else "run",
            "next_index": batch.total if first is None else first,
        },
    )
    return _Next()


def _wait_or_settle(connection: Connection, batch: BatchRow) -> _Next | None:
    wait = connection.execute(GET_WAIT_FOR_NEXT_ITEM, {"batch_id": batch.id}).scalar()
    if wait is None:
        if settle(connection, batch.id) is not None:
            return None
        # This should never happen. If it does, the items are tried rather than left.
        lost = connection.execute(RESCUE_ITEMS, {"batch_id": batch.id}).rowcount
        log.error("items.rescued", batch=str(batch.id), items=lost)
        return _Next() if lost else None
    connection.execute(SET_DUE_OF_BATCH, {"batch_id": batch.id, "wait": float(wait)})
    return _Next(again_after=float(wait))
