"""What the engine writes to a batch as it goes on, and how it ends.

All by its id, of a batch whose row the caller has locked, unless another index is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text

# The sweep: due schedules begin, so many at once. By ix_batches_unfinished; one that somebody is
# changing just then is passed over until the next sweep.
START_SCHEDULED_BATCHES = text(
    """
    UPDATE batches SET status = 'PENDING', revision = revision + 1
    WHERE id IN (
        SELECT id FROM batches
        WHERE status = 'SCHEDULED' AND finished_at IS NULL AND scheduled_at <= now()
        ORDER BY scheduled_at LIMIT :at_once FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING id
    """
)

# The sweep: batches that nothing is under way for, though something should be: their message was
# lost, their callback never came, or their time has come. A batch whose wave has unfinished slices
# is left; where it is being stopped, only claimed ones count. By
# ix_batches_unfinished, and the primary key of slices for each.
FIND_IDLE_BATCHES = text(
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

# PENDING to RUNNING, before the first wave.
BEGIN_BATCH = text(
    """
    UPDATE batches SET status = 'RUNNING', started_at = coalesce(started_at, clock_timestamp()),
        due_at = NULL, revision = revision + 1
    WHERE id = :batch_id AND status = 'PENDING'
    """
)

# A wave has been planned.
NOTE_WAVE_OF_BATCH = text(
    "UPDATE batches SET wave = :wave, next_index = :next_index, due_at = NULL WHERE id = :batch_id"
)

# The first pass went over items of which none is to be run by it.
SET_NEXT_INDEX_OF_BATCH = text("UPDATE batches SET next_index = :next_index WHERE id = :batch_id")

# All items have been looked at, and none is invalid.
END_VALIDATION_OF_BATCH = text(
    "UPDATE batches SET phase = :phase, next_index = :next_index WHERE id = :batch_id"
)

# Nothing is due before `wait` seconds have passed.
SET_DUE_OF_BATCH = text(
    "UPDATE batches SET due_at = now() + make_interval(secs => :wait) WHERE id = :batch_id"
)

# A wave's counts. `tried`: its items, whatever became of them.
ADD_COUNTS_TO_BATCH = text(
    """
    UPDATE batches SET completed = completed + :completed, failed = failed + :failed,
        invalid = invalid + :invalid,
        stalled = CASE WHEN :completed + :failed + :invalid > 0 THEN 0 ELSE stalled + :tried END,
        revision = revision + 1
    WHERE id = :batch_id
    """
)

# The deferred items have failed, or wait for something later.
END_STALL_OF_BATCH = text(
    "UPDATE batches SET stalled = 0, failed = failed + :failed WHERE id = :batch_id"
)

# Failures so far, those of the wave under way included; what had failed before a retry, and was
# not retried, does not count. By id, and the slices of the batch by their primary key; no lock.
COUNT_FAILURES_OF_BATCH = text(
    """
    SELECT b.failed + b.invalid - b.forgiven + coalesce(sum(s.failed + s.invalid), 0)
    FROM batches b LEFT JOIN slices s ON s.batch_id = b.id AND s.phase <> 'validate'
    WHERE b.id = :batch_id GROUP BY b.id
    """
)

# Why the batch is being stopped, null for not at all.
GET_STOPPING_OF_BATCH = text("SELECT stopping FROM batches WHERE id = :batch_id")


@dataclass(frozen=True, slots=True)
class SettledBatch:
    """Whose batch has ended, and how long it ran."""

    client_id: UUID
    operation: str | None
    seconds: float


# The end, with what was counted over the items.
SETTLE_BATCH = text(
    """
    UPDATE batches SET status = :status, finished_at = clock_timestamp(), total = :total,
        completed = :completed, failed = :failed, invalid = :invalid, canceled = :canceled,
        stop_reason = stopping, stopping = NULL, due_at = NULL, stalled = 0,
        revision = revision + 1
    WHERE id = :batch_id AND finished_at IS NULL
    RETURNING client_id, operation,
        CAST(extract(epoch FROM finished_at - coalesce(started_at, finished_at)) AS float)
            AS seconds
    """
)
