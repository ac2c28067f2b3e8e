"""The sweep: repairs whatever a crash, a lost message or a restart left behind.

Beat sends it every second or so. It looks at everything that is unfinished, not at a window of
time, and costs as much as there are unfinished batches. Every repair is idempotent. If a sweep is
under way already, the second one ends at once.
"""

from __future__ import annotations

from uuid import UUID

import structlog
from sqlalchemy import Connection

from app.batches.retention import remove_expired
from app.clients.idempotency_keys import forget_expired
from app.db import transaction
from app.db.statements.batch_progress import FIND_IDLE_BATCHES, START_SCHEDULED_BATCHES
from app.db.statements.rows import rows_of
from app.db.statements.sessions import TRY_SWEEP_LOCK
from app.db.statements.slices import (
    COUNT_WAITING_SLICES,
    SEND_LOST_SLICES,
    QueuedSlices,
    SentSlice,
)
from app.db.statements.workers import DELETE_GONE_WORKERS
from workers.engine.plan.waves import planned
from workers.engine.planned_slice import PlannedSlice
from workers.engine.rescue.takeover import take_over_dead_claims
from workers.engine.run.run_slice import send_released
from workers.engine.runtime import Runtime

log = structlog.get_logger(__name__)


def sweep(runtime: Runtime) -> dict[str, int]:
    """One round of repairs; how many of each kind."""
    with transaction(runtime.engine) as connection:
        if not connection.execute(TRY_SWEEP_LOCK).scalar_one():
            return {}
        stale = runtime.settings.heartbeat_timeout
        # While no heartbeat could be written, and until all have had time for one, silence is none.
        silence_counts = runtime.heartbeat.could_be_written_for(stale)
        taken_over = take_over_dead_claims(
            connection, stale_seconds=stale if silence_counts else None
        )
        scheduled = list(connection.execute(START_SCHEDULED_BATCHES).scalars())
        lost = _lost_slices(connection, runtime)
        idle = list(connection.execute(FIND_IDLE_BATCHES).scalars())
        if silence_counts:
            connection.execute(DELETE_GONE_WORKERS, {"stale": stale})
    for (batch_id, wave), slices in lost.items():
        runtime.send_wave(batch_id, wave, slices)
    for batch_id in dict.fromkeys(scheduled + idle):
        runtime.send_advance(batch_id, 0.0)
    with transaction(runtime.engine) as connection:
        removed = remove_expired(connection, days=runtime.settings.retention_days)
        forget_expired(connection)
    # In a transaction of its own, since a claim locks operations before slices.
    unparked = send_released(runtime)
    done = {
        "claims_taken_over": taken_over,
        "schedules_started": len(scheduled),
        "slices_sent_again": sum(map(len, lost.values())),
        "slices_unparked": unparked,
        "batches_advanced": len(idle),
        "batches_removed": removed,
    }
    if any(done.values()):
        log.info("sweep.repaired", **done)
    return done


def _lost_slices(
    connection: Connection, runtime: Runtime
) -> dict[tuple[UUID, int], list[tuple[int, PlannedSlice]]]:
    resend_after = runtime.settings.resend_after
    short = []
    waiting = connection.execute(COUNT_WAITING_SLICES, {"resend_after": resend_after})
    for queued in rows_of(QueuedSlices, waiting):
        depth = runtime.queue_depth(queued.queue)
        if depth is not None and depth < queued.slices:
            short.append(queued.queue)
    waves: dict[tuple[UUID, int], list[tuple[int, PlannedSlice]]] = {}
    sent = connection.execute(SEND_LOST_SLICES, {"resend_after": resend_after, "short": short})
    for row in rows_of(SentSlice, sent):
        waves.setdefault((row.batch_id, row.wave), []).append((row.number, planned(row)))
    return waves
