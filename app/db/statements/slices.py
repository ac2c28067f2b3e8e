"""A wave's slices as rows: written, sent again, folded into their batch, dropped.

There are only those of waves under way, so the table is small. Those of a batch are found by the
primary key (batch_id, wave, number), those in a state by ix_slices_state (state, sent_at).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, text

from app.db.models import Slice
from app.db.statements.batch_progress import BEGUN
from app.db.statements.rows import columns

# A wave, as it is planned or, after a death, grows. The caller has locked the batch, or the
# wave's numbers (LOCK_WAVE_NUMBERS).
CREATE_SLICES = insert(Slice)


@dataclass(frozen=True, slots=True)
class SentSlice:
    """A slice to be sent (again). Its picks stay in the row."""

    batch_id: UUID
    wave: int
    number: int
    first_index: int
    last_index: int
    size: int
    queue: str
    operation: str | None
    limited: list[str] | None


# Those that bear the mark of being sent at once: what a paused batch's workers left, or a worker
# gave back. By the primary key; the caller has locked the batch.
SEND_MARKED_SLICES = text(
    f"""
    UPDATE slices SET sent_at = now()
    WHERE batch_id = :batch_id AND state = 'READY' AND sent_at = '-infinity'
      AND (not_before IS NULL OR not_before <= now())
    RETURNING {columns(SentSlice)}
    """
)

# resume: the messages came while the batch was paused, and were dropped. Sets that mark. By the
# primary key; the caller has locked the batch.
MARK_READY_SLICES = text(
    """
    UPDATE slices SET sent_at = '-infinity', sends = 1, not_before = NULL, parked_at = NULL
    WHERE batch_id = :batch_id AND state = 'READY'
    """
)

# Slices whose message seems lost: certainly those of a queue that holds fewer messages than there
# are slices waiting (`short`). Otherwise the wait doubles with each sending, so that a long queue
# is not made longer by copies of its messages. Those that are parked wait for a place. By
# ix_slices_state; those that are being claimed are passed over.
SEND_LOST_SLICES = text(
    f"""
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
    RETURNING {columns(SentSlice, "s")}
    """
)


@dataclass(frozen=True, slots=True)
class QueuedSlices:
    """How many slices wait in a queue."""

    queue: str
    slices: int


# What should be in the queues by now: those of a batch that is paused or being stopped need not be,
# as their messages are dropped when they come. By ix_slices_state.
COUNT_WAITING_SLICES = text(
    """
    SELECT s.queue, count(*) AS slices FROM slices s JOIN batches b ON b.id = s.batch_id
    WHERE s.state = 'READY' AND b.status = 'RUNNING' AND b.stopping IS NULL
      AND s.parked_at IS NULL AND (s.not_before IS NULL OR s.not_before <= now())
      AND s.sent_at < now() - make_interval(secs => :resend_after)
    GROUP BY s.queue
    """
)

# Whether anything of the batch is under way. By the primary key; the caller has locked the batch.
COUNT_UNFINISHED_SLICES = text(
    "SELECT count(*) FROM slices WHERE batch_id = :batch_id AND state <> 'DONE'"
)


@dataclass(frozen=True, slots=True)
class FoldedSlice:
    """What a slice that is done brought, and how long it took."""

    phase: str
    operation: str | None
    completed: int
    failed: int
    invalid: int
    size: int
    seconds: float
    claimed_at: datetime | None


# What is done: its counts go into the batch. By the primary key, under the batch's lock.
FOLD_SLICES = text(
    f"""
    DELETE FROM slices WHERE batch_id = :batch_id AND state = 'DONE'
    RETURNING {columns(FoldedSlice)}
    """
)

# A stopped batch: these are not claimed, and cannot be while the batch is locked.
DROP_READY_SLICES = text("DELETE FROM slices WHERE batch_id = :batch_id AND state = 'READY'")

# Where the numbers of slices that are added to a wave begin. By the primary key: its last entry.
GET_LAST_SLICE_NUMBER = text(
    "SELECT max(number) FROM slices WHERE batch_id = :batch_id AND wave = :wave"
)

# A batch that is one slice begins, as the slice of the worker that runs it at once: with the claim,
# and what a claim returns. By id, which the caller has locked.
BEGIN_WHOLE_BATCH = text(
    f"""
    WITH begun AS (
        UPDATE batches SET status = 'RUNNING', started_at = coalesce(started_at, clock_timestamp()),
            wave = :wave, next_index = :next_index, due_at = NULL, turn_at = NULL,
            ramp_wave = CASE WHEN ramp_end IS NOT NULL THEN CAST(:wave AS integer) END,
            revision = revision + 1
        WHERE id = :batch_id
        RETURNING metadata::text AS metadata, {BEGUN}
    ), made AS (
        INSERT INTO slices (batch_id, wave, number, operation, queue, phase, first_index,
                            last_index, picks, size, state, claim, worker_id, claimed_at)
        VALUES (:batch_id, :wave, 0, :operation, :queue, :phase, :first_index,
                :last_index, :picks, :size, 'CLAIMED', :claim, :worker, clock_timestamp())
        RETURNING claimed_at
    )
    SELECT made.claimed_at, begun.metadata, begun.started_at, begun.heard FROM begun, made
    """
)
