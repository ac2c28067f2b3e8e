"""What the engine writes to a batch as it goes on, and how it ends.

All by its id, of a batch whose row the caller has locked, unless another index is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from app.db.statements.item_history import insert_item_history
from app.db.statements.rows import columns


@dataclass(frozen=True, slots=True)
class BegunBatch:
    """When a batch began. `heard`: whether a webhook is to be told of it now."""

    started_at: datetime
    heard: bool


# What a statement by which a batch begins returns of it, in terms of `batches`. `begins`: whether
# it does so now, as by the same statement it goes on. Whether anybody listens is then looked up by
# ix_webhooks_client_id_id, so that where nobody does it costs no statement.
BEGUN = """started_at, CASE WHEN :begins THEN EXISTS (
        SELECT FROM webhooks w WHERE w.client_id = batches.client_id AND w.disabled_at IS NULL
           AND 'batch.started' = ANY(w.events)) ELSE false END AS heard"""

# PENDING to RUNNING, before the first wave.
BEGIN_BATCH = text(
    f"""
    UPDATE batches SET status = 'RUNNING', started_at = coalesce(started_at, clock_timestamp()),
        due_at = NULL, revision = revision + 1
    WHERE id = :batch_id AND status = 'PENDING'
    RETURNING {BEGUN}
    """
)

# A wave has been planned, with the first of which the batch begins. It stays in line, behind the
# others, where there is `more`. The commit need not be waited for: if a crash of Postgres loses it,
# the wave has not been planned, and the batch is in line as before.
NOTE_WAVE_OF_BATCH = text(
    f"""
    SET LOCAL synchronous_commit = off;
    UPDATE batches SET wave = :wave, next_index = :next_index, due_at = NULL,
        ramp_wave = CASE WHEN ramp_end IS NOT NULL THEN CAST(:wave AS integer) END,
        turn_at = CASE WHEN :more THEN clock_timestamp() END,
        started_at = coalesce(started_at, clock_timestamp()), status = 'RUNNING',
        revision = revision + CASE status WHEN 'RUNNING' THEN 0 ELSE 1 END
    WHERE id = :batch_id
    RETURNING {BEGUN}
    """
)

# The first pass went over items of which none is to be run by it.
SET_NEXT_INDEX_OF_BATCH = text("UPDATE batches SET next_index = :next_index WHERE id = :batch_id")

# All items have been looked at, and none is invalid.
END_VALIDATION_OF_BATCH = text(
    "UPDATE batches SET phase = :phase, next_index = :next_index WHERE id = :batch_id"
)

# Nothing is due before `wait` seconds have passed; null: before a slice is done.
SET_DUE_OF_BATCH = text(
    """
    UPDATE batches SET due_at = now() + make_interval(secs => CAST(:wait AS float)), turn_at = NULL
    WHERE id = :batch_id
    """
)

# What slices that are done brought. `stalled`: items tried since the last one that ended.
ADD_COUNTS_TO_BATCH = text(
    f"""
    WITH counted AS (
        UPDATE batches SET completed = completed + :completed, failed = failed + :failed,
            invalid = invalid + :invalid, stalled = :stalled, progress_at = :progress_at,
            revision = revision + 1
        WHERE id = :batch_id
        RETURNING client_id, operation
    )
    {insert_item_history("counted")}
    """
)

# The deferred items have failed, or wait for something later.
END_STALL_OF_BATCH = text(
    "UPDATE batches SET stalled = 0, failed = failed + :failed WHERE id = :batch_id"
)

# Failures so far and all that was processed, the wave under way included; what had ended before a
# retry, and was not retried, does not count. By id, and the slices of the batch by their primary
# key; no lock.
COUNT_FAILURES_OF_BATCH = text(
    """
    SELECT b.failed + b.invalid - b.forgiven + coalesce(sum(s.failed + s.invalid), 0) AS failures,
           b.failed + b.invalid - b.forgiven_share
               + coalesce(sum(s.failed + s.invalid), 0) AS of_share,
           b.completed + b.failed + b.invalid - b.forgiven_processed
               + coalesce(sum(s.completed + s.failed + s.invalid), 0) AS processed
    FROM batches b LEFT JOIN slices s ON s.batch_id = b.id AND s.phase <> 'validate'
    WHERE b.id = :batch_id GROUP BY b.id
    """
)


@dataclass(frozen=True, slots=True)
class CountedBatch:
    """A batch's own counts, and why it is being stopped (None for not at all)."""

    stopping: str | None
    total: int
    completed: int
    failed: int
    invalid: int
    canceled: int


# What a batch ends with. Every count was added in the transaction that ended the items.
GET_COUNTS_OF_BATCH = text(f"SELECT {columns(CountedBatch)} FROM batches WHERE id = :batch_id")


@dataclass(frozen=True, slots=True)
class SettledBatch:
    """Whose batch has ended, and how long it ran."""

    client_id: UUID
    operation: str | None
    seconds: float


# The end, with the counts that it has.
SETTLE_BATCH = text(
    """
    UPDATE batches SET status = :status, finished_at = clock_timestamp(), total = :total,
        completed = :completed, failed = :failed, invalid = :invalid, canceled = :canceled,
        stop_reason = stopping, stopping = NULL, ramp_end = NULL, ramp_held = false,
        due_at = NULL, turn_at = NULL, stalled = 0, progress_at = NULL, held = NULL,
        approval = CASE approval WHEN 'checking' THEN 'needed' ELSE approval END,
        doing = NULL, doing_index = NULL, doing_done = NULL,
        doing_total = NULL, doing_statuses = NULL, doing_at = NULL, doing_sends = NULL,
        revision = revision + 1
    WHERE id = :batch_id AND finished_at IS NULL
    RETURNING client_id, operation,
        CAST(extract(epoch FROM finished_at - coalesce(started_at, finished_at)) AS float)
            AS seconds
    """
)

# The end of a batch that was one slice, in the transaction that writes its outcomes: the slice
# goes, and the batch has its counts. No row where it is being stopped, or the claim is gone; then
# nothing is done. By id, and the slice's primary key; the slice is locked already. Whoever has the
# batch locked waits for no claimed slice.
SETTLE_WHOLE_BATCH = text(
    f"""
    WITH settled AS (
        UPDATE batches SET status = :status, finished_at = clock_timestamp(),
            completed = :completed, failed = :failed, invalid = :invalid,
            due_at = NULL, turn_at = NULL, ramp_end = NULL, revision = revision + 1
        WHERE id = :batch_id AND status = 'RUNNING' AND stopping IS NULL
          AND EXISTS (SELECT FROM slices WHERE batch_id = :batch_id AND wave = :wave
                        AND number = :number AND claim = :claim AND state = 'CLAIMED')
        RETURNING client_id, operation,
            CAST(extract(epoch FROM finished_at - started_at) AS float) AS seconds
    ), gone AS (
        DELETE FROM slices WHERE batch_id = :batch_id AND wave = :wave AND number = :number
          AND claim = :claim AND EXISTS (SELECT FROM settled)
    ), noted AS (
        {insert_item_history("settled")}
    )
    SELECT client_id, operation, seconds FROM settled
    """
)
