"""What is written of a batch that may not run before somebody has approved it.

All by its id, of a batch whose row the caller has locked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

# An OPEN one is started, or given a time: its items are looked at first.
CHECK_BATCH = text(
    """
    UPDATE batches SET status = 'PENDING', approval = 'checking', phase = 'validate',
        scheduled_at = :scheduled_at, turn_at = clock_timestamp(), revision = revision + 1
    WHERE id = :batch_id
    """
)


@dataclass(frozen=True, slots=True)
class AwaitingBatch:
    """Whose batch awaits approval, and since when."""

    client_id: UUID
    at: datetime


# All items have been looked at, and some can run. It has not begun yet.
AWAIT_APPROVAL_OF_BATCH = text(
    """
    UPDATE batches SET status = 'AWAITING', approval = 'needed', phase = 'run',
        next_index = :next_index, started_at = NULL, due_at = NULL, turn_at = NULL, stalled = 0,
        progress_at = NULL, revision = revision + 1
    WHERE id = :batch_id
    RETURNING client_id, clock_timestamp() AS at
    """
)

# It may run. What was found INVALID was there to be seen: it is no part of the share of failures.
APPROVE_BATCH = text(
    """
    UPDATE batches SET status = :status, approval = 'given',
        forgiven_share = failed + invalid, forgiven_processed = completed + failed + invalid,
        turn_at = CASE WHEN :status = 'PENDING' THEN clock_timestamp() END, revision = revision + 1
    WHERE id = :batch_id
    """
)

# Whether what is in it is that key's.
IS_CONTRIBUTOR = text(
    """
    SELECT coalesce(CAST(:key_id AS uuid) = ANY(contributors), false)
    FROM batches WHERE id = :batch_id
    """
)

# That key has put something into it; an ended one that was changed has to be approved again.
ADD_CONTRIBUTOR = text(
    """
    UPDATE batches SET
        contributors = CASE WHEN CAST(:key_id AS uuid) = ANY(contributors) THEN contributors
                            ELSE array_append(contributors, CAST(:key_id AS uuid)) END,
        approval = CASE WHEN finished_at IS NOT NULL THEN 'needed' ELSE approval END
    WHERE id = :batch_id AND approval IS NOT NULL
    """
)
