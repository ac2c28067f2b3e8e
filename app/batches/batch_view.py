"""How far a batch has got: its row, and what the slices under way have added to it.

A batch's row holds what the waves that were folded in ended with; the slices of the wave that is
under way add to it. So a look costs two short index scans, whatever the size of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from app.core.lifecycle import BATCH_ENDED
from app.db.statements.held_items import held_items

# Validation (onInvalid: reject) only looks at items, so nothing of it is RUNNING.
_CLAIMED = "s.state = 'CLAIMED' AND s.phase <> 'validate'"

# A range of the first pass passes over items with repeated keys, so that its size says too much:
# only where a batch may have such are the items themselves counted. (The conditions on the batch
# stand inside the subqueries, since they are not looked into otherwise than by carrying them out.)
BATCHES = f"""
    SELECT b.id, b.name, b.operation, b.status, b.created_at, b.scheduled_at, b.started_at,
           b.finished_at, b.metadata::text AS metadata, b.stop_reason, b.dialect, b.reference,
           b.revision, b.total, b.canceled,
           b.completed + coalesce(live.completed, 0) AS completed,
           b.failed + coalesce(live.failed, 0) AS failed,
           b.invalid + coalesce(live.invalid, 0) AS invalid,
           CASE WHEN b.may_repeat THEN coalesce(held.running, 0)
                ELSE coalesce(live.running, 0) END AS running
    FROM batches b
    LEFT JOIN LATERAL (
        SELECT sum(s.completed) AS completed, sum(s.failed) AS failed, sum(s.invalid) AS invalid,
               sum(s.size - s.completed - s.failed - s.invalid)
                   FILTER (WHERE {_CLAIMED}) AS running
        FROM slices s WHERE s.batch_id = b.id AND b.finished_at IS NULL
    ) live ON true
    LEFT JOIN LATERAL (
        SELECT count(*) AS running FROM ({held_items("b.id")}) h
        WHERE b.finished_at IS NULL AND b.may_repeat
    ) held ON true
"""


@dataclass(frozen=True, slots=True)
class Summary:
    """Items by how they stand. All of them add up to `total`."""

    total: int
    running: int
    completed: int
    failed: int
    invalid: int
    canceled: int

    @property
    def pending(self) -> int:
        """Neither ended nor being processed."""
        return self.total - self.ended - self.running

    @property
    def processed(self) -> int:
        """Completed, failed or invalid."""
        return self.completed + self.failed + self.invalid

    @property
    def ended(self) -> int:
        """Processed or canceled."""
        return self.processed + self.canceled


@dataclass(frozen=True, slots=True)
class BatchView:
    """A batch as it is shown. `metadata`: JSON text, or None. `revision` counts its changes."""

    id: UUID
    name: str | None
    operation: str | None
    status: str
    created_at: datetime
    scheduled_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    metadata: str | None
    stop_reason: str | None
    dialect: str
    reference: str | None
    revision: int
    summary: Summary

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return self.status in BATCH_ENDED

    @property
    def progress(self) -> float:
        """The part of its items that have ended, 0 to 1 in ten-thousandths; 1 only at the end."""
        if self.ended:
            return 1.0
        total = self.summary.total
        return min(self.summary.ended * 10_000 // total, 9_999) / 10_000 if total else 0.0


def batch_view(row: Row[Any]) -> BatchView:
    """A row of the query `BATCHES`."""
    ended = row.completed + row.failed + row.invalid + row.canceled
    return BatchView(
        id=row.id,
        name=row.name,
        operation=row.operation,
        status=row.status,
        created_at=row.created_at,
        scheduled_at=row.scheduled_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        metadata=row.metadata,
        stop_reason=row.stop_reason,
        dialect=row.dialect,
        reference=row.reference,
        revision=row.revision,
        summary=Summary(
            total=row.total,
            running=int(max(0, min(row.running, row.total - ended))),
            completed=int(row.completed),
            failed=int(row.failed),
            invalid=int(row.invalid),
            canceled=row.canceled,
        ),
    )
