"""A batch that is one slice begins: planned and claimed at once, by the worker that will run it.

There is no chord for it and no message: the one that brought the worker here is enough. Its claim
is committed before it is run, as that of any slice, so that an item that kills workers is counted.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from app.batches.guards import guards_of
from app.core import lifecycle
from app.core.ids import new_id
from app.core.jsontext import loads
from app.db.statements.batches import BatchRow
from app.db.statements.sessions import COMMIT_UNHURRIED
from app.db.statements.slices import BEGIN_WHOLE_BATCH
from app.messaging.broker import HARD_TIME_LIMIT, SLOW_QUEUE
from workers.engine.claim.claims import ClaimedSlice
from workers.engine.plan.beginning import begins, tell_of_beginning
from workers.engine.plan.chords import BESIDE
from workers.engine.plan.lanes import find_lanes
from workers.engine.plan.planner import plan_wave
from workers.engine.planned_slice import PlannedSlice
from workers.engine.runtime import Runtime


def seconds_expected(runtime: Runtime, connection: Connection, batch: BatchRow) -> float | None:
    """What the batch should take as one slice; None where that is not known, or hangs on others."""
    operation = runtime.registry.get(batch.operation)
    if operation is None or not operation.in_database:
        return None
    cost = runtime.costs.cost(connection, operation.name)
    return None if cost is None else cost.seconds(batch.total)


def begin_whole(runtime: Runtime, connection: Connection, batch: BatchRow) -> ClaimedSlice | None:
    """Begin `batch`, whose row is locked, as one slice of this process's.

    None, and nothing done, where the batch is not one slice, or not one for this process: it has
    begun already, is of another line, under a limit, or of an operation whose time limit is longer
    than that of the task that brought the worker here.
    """
    if (
        batch.status != lifecycle.PENDING
        or batch.stopping
        or batch.doing is not None
        or batch.total > runtime.settings.max_slice_items
        or batch.queue != runtime.line
    ):
        return None
    if batch.needs_lanes and not find_lanes(connection, runtime.known, batch, runtime.pace):
        return None
    plan = plan_wave(connection, runtime, batch, room=2, unfinished=0)
    if len(plan.slices) != 1 or plan.more or plan.next_index < batch.total:
        return None
    if not _runs_here(runtime, plan.slices[0]):
        return None
    return _claim(runtime, connection, replace(batch, next_index=plan.next_index), plan.slices[0])


def _runs_here(runtime: Runtime, planned: PlannedSlice) -> bool:
    operation = runtime.registry.get(planned.operation)
    return (
        (planned.queue == SLOW_QUEUE) == (runtime.line == SLOW_QUEUE)
        and not planned.limited
        and operation is not None
        and operation.timeout_seconds + BESIDE <= HARD_TIME_LIMIT
    )


def _claim(
    runtime: Runtime, connection: Connection, batch: BatchRow, planned: PlannedSlice
) -> ClaimedSlice:
    connection.execute(COMMIT_UNHURRIED)
    claim = new_id()
    row = connection.execute(
        BEGIN_WHOLE_BATCH,
        {
            "batch_id": batch.id,
            "wave": batch.wave + 1,
            "next_index": batch.next_index,
            "operation": planned.operation,
            "queue": planned.queue,
            "phase": batch.phase,
            "first_index": planned.first_index,
            "last_index": planned.last_index,
            "picks": planned.picks,
            "size": planned.size,
            "claim": claim,
            "begins": begins(batch),
            "worker": runtime.heartbeat.worker_id,
        },
    ).one()
    tell_of_beginning(connection, batch, row)
    return ClaimedSlice(
        batch_id=batch.id,
        wave=batch.wave + 1,
        number=0,
        claim=claim,
        claimed_at=row.claimed_at,
        client_id=batch.client_id,
        operation=batch.operation,
        queue=planned.queue,
        phase=batch.phase,
        first_index=planned.first_index,
        last_index=planned.last_index,
        picks=planned.picks,
        size=planned.size,
        limited=None,
        guards=guards_of(batch.max_failures, batch.max_failure_percent, batch.min_processed),
        metadata=loads(row.metadata) if row.metadata else {},
        whole=planned.size == batch.total and batch.phase != "validate",
        dry_effects=batch.dry_effects,
        request_id=batch.request_id,
    )
