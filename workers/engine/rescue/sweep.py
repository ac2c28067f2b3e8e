"""The sweep: repairs whatever a crash, a lost message or a restart left behind.

Run by beat every few seconds. It looks at everything that is unfinished, not at a window of time,
and its cost is that of the unfinished batches alone. Every repair is idempotent; two sweeps at
once do no harm, and the second one goes home.
"""

from __future__ import annotations

from uuid import UUID

import structlog
from sqlalchemy import Connection, text

from app.batches.retention import remove_expired
from app.clients.idempotency_keys import forget_expired
from app.db import transaction
from workers.engine.plan.waves import planned
from workers.engine.planned_slice import PlannedSlice
from workers.engine.rescue.takeover import take_over_dead_claims
from workers.engine.run.run_slice import send_released
from workers.engine.runtime import Runtime

log = structlog.get_logger(__name__)

_SWEEP_LOCK = 7203_1118
_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:key)")
# Due schedules begin.
_SCHEDULED = text(
    """
    UPDATE batches SET status = 'PENDING', revision = revision + 1
    WHERE status = 'SCHEDULED' AND finished_at IS NULL AND scheduled_at <= now()
    RETURNING id
    """
)
# Batches that nothing is under way for, though something should be: their message was lost, their
# callback never came, or their time has come. A batch whose wave has unfinished slices is left;
# where it is being stopped, only those that somebody holds count.
_IDLE = text(
    """
    SELECT b.id FROM batches b
    WHERE b.finished_at IS NULL
      AND (b.status IN ('PENDING', 'RUNNING') OR (b.status = 'PAUSED' AND b.stopping IS NOT NULL))
      AND (b.due_at IS NULL OR b.due_at <= now() OR b.stopping IS NOT NULL)
      AND NOT EXISTS (
            SELECT FROM slices s WHERE s.batch_id = b.id
            AND (s.state = 'CLAIMED' OR (s.state = 'READY' AND b.stopping IS NULL)))
      AND (b.created_at < now() - interval '2 seconds')
    ORDER BY b.id LIMIT 1000
    """
)
# READY slices whose message seems lost: certainly those of a queue that holds fewer messages than
# there are slices waiting. Otherwise the wait doubles with each sending, so that a long queue is
# not made longer by copies of its messages. Those that are parked wait for a place (gates.py).
_LOST = text(
    """
    WITH lost AS (
        SELECT s.batch_id, s.wave, s.number FROM slices s JOIN batches b ON b.id = s.batch_id
        WHERE s.state = 'READY' AND b.status = 'RUNNING' AND b.stopping IS NULL
          AND s.parked_at IS NULL AND (s.not_before IS NULL OR s.not_before <= now())
          AND s.sent_at < now() - make_interval(secs => CAST(:resend_after AS float)
                * CASE WHEN s.queue = ANY(CAST(:short AS text[])) THEN 1
                       ELSE 2 ^ least(s.sends - 1, 6) END)
        ORDER BY s.sent_at LIMIT 5000 FOR UPDATE OF s SKIP LOCKED
    )
    UPDATE slices s SET sent_at = now(), sends = least(s.sends + 1, 1000) FROM lost l
    WHERE s.batch_id = l.batch_id AND s.wave = l.wave AND s.number = l.number
    RETURNING s.batch_id, s.wave, s.number, s.first_index, s.last_index, s.size, s.queue,
              s.operation, s.limited
    """
)
_WAITING = text(
    """
    SELECT queue, count(*) AS slices FROM slices
    WHERE state = 'READY' AND parked_at IS NULL AND (not_before IS NULL OR not_before <= now())
      AND sent_at < now() - make_interval(secs => :resend_after)
    GROUP BY queue
    """
)
_GONE_WORKERS = text(
    "DELETE FROM workers WHERE heartbeat_at < now() - make_interval(secs => :stale * 10)"
)


def sweep(runtime: Runtime) -> dict[str, int]:
    """One round of repairs; how many of each kind."""
    with transaction(runtime.engine) as connection:
        if not connection.execute(_TRY_LOCK, {"key": _SWEEP_LOCK}).scalar_one():
            return {}
        stale = runtime.settings.heartbeat_timeout
        taken_over = take_over_dead_claims(connection, stale_seconds=stale)
        scheduled = [row.id for row in connection.execute(_SCHEDULED)]
        lost = _lost_slices(connection, runtime)
        idle = [row.id for row in connection.execute(_IDLE)]
        connection.execute(_GONE_WORKERS, {"stale": stale})
    for (batch_id, wave), slices in lost.items():
        runtime.send_wave(batch_id, wave, slices)
    for batch_id in dict.fromkeys(scheduled + idle):
        runtime.send_advance(batch_id, 0.0)
    with transaction(runtime.engine) as connection:
        removed = remove_expired(connection, days=runtime.settings.retention_days)
        forget_expired(connection)
    # In a transaction of its own: who claims locks operations before slices.
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
    for row in connection.execute(_WAITING, {"resend_after": resend_after}).all():
        depth = runtime.queue_depth(row.queue)
        if depth is not None and depth < row.slices:
            short.append(row.queue)
    waves: dict[tuple[UUID, int], list[tuple[int, PlannedSlice]]] = {}
    for row in connection.execute(_LOST, {"resend_after": resend_after, "short": short}):
        waves.setdefault((row.batch_id, row.wave), []).append((row.number, planned(row)))
    return waves
