"""A batch is PAUSED, by its caller or by its ramp, and goes on.

All by its id, of a batch whose row the caller has locked.
"""

from __future__ import annotations

from sqlalchemy import text

# pause: nothing more begins.
PAUSE_BATCH = text(
    """
    UPDATE batches SET status = 'PAUSED', turn_at = NULL, stop_reason = NULL, ramp_held = false,
        revision = revision + 1
    WHERE id = :batch_id
    RETURNING clock_timestamp() AS at
    """
)

# resume: it goes on where it was, with the next step where its ramp had held it.
RESUME_BATCH = text(
    """
    UPDATE batches SET status = :status, turn_at = clock_timestamp(), stop_reason = NULL,
        ramp_held = false, revision = revision + 1
    WHERE id = :batch_id
    """
)

# A step of its ramp is over: it is PAUSED with the next one set, so that `resume` needs to know
# nothing of steps.
PAUSE_BY_RAMP = text(
    """
    UPDATE batches SET status = 'PAUSED', ramp_end = :end, ramp_held = true,
        stop_reason = :reason, stalled = 0, due_at = NULL, turn_at = NULL, revision = revision + 1
    WHERE id = :batch_id
    RETURNING clock_timestamp() AS at
    """
)
