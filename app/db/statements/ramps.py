"""What becomes of a batch at the end of a step of its ramp.

All by its id, of a batch whose row the caller has locked.
"""

from __future__ import annotations

from sqlalchemy import text

# Of the step's items, those that went wrong. By ix_items_problem, which has no others.
COUNT_FAILURES_OF_STEP = text(
    """
    SELECT count(*) FROM items
    WHERE batch_id = :batch_id AND index >= :first AND index < :end AND code IS NOT NULL
      AND status IN ('FAILED', 'INVALID')
    """
)

# Whether anything behind the step is left to run. By the primary key: as a rule its first entry.
FIND_ITEM_BEHIND_STEP = text(
    """
    SELECT index FROM items
    WHERE batch_id = :batch_id AND index >= :end AND status = 'PENDING'
    ORDER BY index LIMIT 1
    """
)

# It goes on with the next step, or with all that is left: `end` is null.
BEGIN_STEP_OF_BATCH = text(
    """
    UPDATE batches SET ramp_end = :end, stalled = 0, due_at = NULL, revision = revision + 1
    WHERE id = :batch_id
    """
)
