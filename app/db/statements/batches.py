"""Batches, as callers see them: locked, made, changed, started, stopped, retried, removed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, bindparam, delete, insert, text, update

from app.core.lifecycle import APPROVAL_CHECKING, MARK_LANES
from app.db.models import Batch
from app.db.statements.audit import insert_audit_row
from app.db.statements.rows import columns


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A locked batch: what actions and the engine decide by. The columns: app.db.models.batch."""

    id: UUID
    client_id: UUID
    operation: str | None
    status: str
    on_invalid: str
    max_failures: int | None
    max_failure_percent: Decimal | None
    min_processed: int | None
    approval: str | None
    dry_run: bool
    dry_effects: bool
    scheduled_at: datetime | None
    started_at: datetime | None
    total: int
    completed: int
    failed: int
    invalid: int
    canceled: int
    phase: str
    stopping: str | None
    wave: int
    next_index: int
    mixed: bool
    may_repeat: bool
    stalled: int
    progress_at: datetime | None
    turn_at: datetime | None
    queue: str
    held: list[int] | None
    doing: str | None
    doing_index: int | None
    doing_done: int | None
    doing_total: int | None
    doing_statuses: list[str] | None
    doing_where: dict[str, Any] | None
    ramp: dict[str, Any] | None
    ramp_end: int | None
    request_id: str | None

    @property
    def ramped(self) -> bool:
        """Whether a step of its ramp holds back what is behind it. To look at that is no run."""
        return self.ramp_end is not None and self.ramp_end < self.total and self.phase == "run"

    @property
    def end(self) -> int:
        """The index up to which items may run: that of its step's end, where there is one."""
        return self.total if self.ramp_end is None or not self.ramped else self.ramp_end

    @property
    def reach(self) -> int:
        """How far the first pass may go: up to `end`, as far as lanes have been marked."""
        if self.doing == MARK_LANES and self.doing_index is not None:
            return min(self.doing_index, self.end)
        return self.end

    @property
    def needs_lanes(self) -> bool:
        """Whether keys may be repeated in what is to be run; while it is checked nothing is."""
        return self.may_repeat and self.approval != APPROVAL_CHECKING

    @property
    def ended_items(self) -> int:
        """How many of its items have ended, as far as their slices have been folded in."""
        return self.completed + self.failed + self.invalid + self.canceled


@cache
def lock_batch_row(
    *, of_client: bool = False, soon: bool = False, if_free: bool = False
) -> TextClause:
    """Locks a batch, before any change of its state. By its id, and the client where said.

    A lock that lets foreign keys be checked, so items can be written beside it. `soon`: for the
    engine, which does not hold a worker's slot for it; after half a second of waiting it is an
    error (55P03). `if_free`: no row where another has it locked.
    """
    whose = " AND client_id = :client_id" if of_client else ""
    limit = "SET LOCAL lock_timeout = '500ms'; " if soon else ""
    how = " SKIP LOCKED" if if_free else ""
    return text(
        f"""
        {limit}
        SELECT {columns(BatchRow)} FROM batches WHERE id = :batch_id{whose} FOR NO KEY UPDATE{how}
        """
    )


# Whose a batch is, for an admin: by the primary key.
SELECT_OWNER = text("SELECT client_id FROM batches WHERE id = :batch_id")

# A submission, before its items: their number is not known yet. Refused by the unique key where
# the client's reference is taken.
CREATE_BATCH = insert(Batch)

# What its items turned out to be; one that starts now is in line. By id, in the transaction that
# made it. It is audited here, as it is known now of how many items it is.
NOTE_ITEMS_OF_BATCH = text(
    f"""
    WITH audited AS (
        {insert_audit_row("'batch.submit'", client_id=":client_id", batch_id=":batch_id")}
    )
    UPDATE batches SET total = :total, mixed = :mixed, may_repeat = :may_repeat,
        turn_at = CASE WHEN status = 'PENDING' THEN clock_timestamp() END
    WHERE id = :batch_id
    """
)

# More items for an OPEN batch. By id, which the caller has locked.
ADD_ITEMS_TO_BATCH = text(
    """
    UPDATE batches SET total = total + :added, mixed = mixed OR :mixed,
        may_repeat = may_repeat OR :may_repeat, revision = revision + 1
    WHERE id = :batch_id
    """
)

# PATCH: sets those columns that are among the parameters. By id, which the caller has locked.
AMEND_BATCH = (
    update(Batch).where(Batch.id == bindparam("batch_id")).values(revision=Batch.revision + 1)
)

# start: where the caller wants it. By id, which the caller has locked.
SET_BATCH_STATUS = text(
    """
    UPDATE batches SET status = :status, revision = revision + 1,
        turn_at = CASE WHEN :status IN ('PENDING', 'RUNNING') THEN clock_timestamp() END
    WHERE id = :batch_id
    """
)

# cancel, or too many failures: nothing new begins. The first reason stays. By id.
REQUEST_STOP_OF_BATCH = text(
    """
    UPDATE batches SET stopping = coalesce(stopping, :reason), revision = revision + 1
    WHERE id = :batch_id AND finished_at IS NULL
    """
)

# A batch that ends, or begins anew, does nothing else any more.
_NOTHING_DONE = """doing = NULL, doing_index = NULL, doing_done = NULL, doing_total = NULL,
        doing_statuses = NULL, doing_at = NULL, doing_sends = NULL"""

# A caller's retry: an ended batch begins again with what is left of its counts. By id, locked.
RETRY_BATCH = text(
    f"""
    UPDATE batches SET status = 'PENDING', failed = :failed, invalid = :invalid,
        canceled = :canceled, forgiven = :failed + :invalid, forgiven_share = :failed + :invalid,
        forgiven_processed = completed + :failed + :invalid, phase = :phase, approval = :approval,
        next_index = :next_index, ramp_end = NULL,
        stop_reason = NULL, stopping = NULL, stalled = 0, due_at = NULL, progress_at = NULL,
        turn_at = clock_timestamp(),
        started_at = NULL, finished_at = NULL,
        {_NOTHING_DONE}, revision = revision + 1
    WHERE id = :batch_id
    """
)

# reset: as when it was made, but for the count of waves, which goes on, so that no message of old
# can name a slice to come. By id, which the caller has locked.
RESET_BATCH = text(
    f"""
    UPDATE batches SET status = 'OPEN', total = 0, completed = 0, failed = 0, invalid = 0,
        canceled = 0, forgiven = 0, forgiven_share = 0, forgiven_processed = 0, phase = :phase,
        approval = CASE WHEN approval IS NOT NULL THEN 'needed' END,
        ramp_end = CASE WHEN NOT dry_run THEN CAST(ramp->'steps'->>0 AS integer) END,
        ramp_wave = CASE WHEN ramp IS NOT NULL THEN wave END,
        next_index = 0, mixed = false,
        may_repeat = false,
        stop_reason = NULL, stopping = NULL, stalled = 0, due_at = NULL, progress_at = NULL,
        turn_at = NULL,
        scheduled_at = NULL, started_at = NULL, finished_at = NULL,
        {_NOTHING_DONE}, revision = revision + 1
    WHERE id = :batch_id
    """
)

# DELETE of an ended batch, whose items are gone or few: they go with it by their foreign key. By
# id, locked.
DELETE_BATCH = delete(Batch).where(Batch.id == bindparam("batch_id"))

# Retention, oldest first by ix_batches_finished_at. As many as together have at most :most items,
# and go with them by their foreign key; a larger one is left to EXPIRE_BATCH.
DELETE_EXPIRED_BATCHES = text(
    """
    WITH old AS MATERIALIZED (
        SELECT id, finished_at, total FROM batches
        WHERE finished_at < now() - make_interval(days => :days) AND doing IS NULL
        ORDER BY finished_at LIMIT 100 FOR UPDATE SKIP LOCKED
    ), few AS (
        SELECT id, sum(total) OVER (ORDER BY finished_at, id) AS items FROM old
    )
    DELETE FROM batches USING few WHERE batches.id = few.id AND few.items <= :most
    """
)

# The oldest of those, if it is larger: from now on it is being deleted, in steps.
EXPIRE_BATCH = text(
    """
    UPDATE batches SET doing = 'delete', doing_index = total, doing_done = 0, doing_total = total,
        doing_at = '-infinity', doing_sends = 0, revision = revision + 1
    WHERE id = (
        SELECT id FROM batches
        WHERE finished_at < now() - make_interval(days => :days) AND doing IS NULL
          AND total > :most
        ORDER BY finished_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    """
)

# Whether the commit that stored it came through. By the primary key.
IS_BATCH_STORED = text("SELECT EXISTS (SELECT FROM batches WHERE id = :batch_id)")
