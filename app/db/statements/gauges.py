"""How things stand: what the metrics and the readiness probe ask for.

Only what is unfinished is looked at, so the cost is that of the work under way. No item is read.
"""

from __future__ import annotations

from sqlalchemy import text

# Whether Postgres answers at all.
SELECT_TRUE = text("SELECT true")

# Slices by state and queue: the whole of `slices`, which holds what is under way, and the batches
# of those that are READY. WAITING are those of them that no worker may take now, however many there
# are: their batch is paused or being stopped, or a limit of their operation does not let them.
COUNT_SLICES = text(
    """
    SELECT CASE WHEN s.state = 'READY' AND (b.status <> 'RUNNING' OR b.stopping IS NOT NULL
                     OR s.parked_at IS NOT NULL OR s.not_before > now())
                THEN 'WAITING' ELSE s.state END AS state,
           s.queue, count(*) AS number
    FROM slices s LEFT JOIN batches b ON s.state = 'READY' AND b.id = s.batch_id
    GROUP BY 1, 2
    """
)

# Batches in line for their turn, by the workers they need: ix_batches_turn. One that is done as a
# whole, in one transaction, has no slice that others see, and is in line until it has ended.
COUNT_IN_LINE = text(
    "SELECT queue, count(*) AS number FROM batches WHERE turn_at IS NOT NULL GROUP BY queue"
)

# Live worker processes, and the slices that they can do at once: the whole of `workers`.
COUNT_WORKERS = text(
    """
    SELECT queue, count(*) AS number, sum(slots) AS slots,
           count(*) FILTER (WHERE starving_since < now() - make_interval(secs => :patience))
               AS starving
    FROM workers
    WHERE heartbeat_at > now() - make_interval(secs => :stale) GROUP BY queue
    """
)

# For how many seconds the batch has waited that has waited longest for items to be processed: by
# ix_batches_unfinished. One that was retried or begun by hand waits since then, and not since it
# was submitted.
FIND_LONGEST_WAIT = text(
    """
    SELECT coalesce(max(extract(epoch FROM now() - waiting_since)), 0) FROM (
        SELECT greatest(b.created_at, b.scheduled_at, b.started_at) AS waiting_since
        FROM batches b
        WHERE b.finished_at IS NULL AND b.status IN ('PENDING', 'RUNNING')
          AND b.total > b.completed + b.failed + b.invalid + b.canceled + coalesce((
                SELECT sum(CASE WHEN s.state = 'CLAIMED' THEN s.size
                                ELSE s.completed + s.failed + s.invalid END)
                FROM slices s WHERE s.batch_id = b.id), 0)) waiting
    """
)
