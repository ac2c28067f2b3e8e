"""Stopping a batch: by its caller's cancel, or because too many items failed.

What is under way finishes; nothing new begins; the rest is canceled in one statement once the
claimed slices are through (by `advance`).
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, text

_REQUEST = text(
    """
    UPDATE batches SET stopping = coalesce(stopping, :reason), revision = revision + 1
    WHERE id = :batch_id AND finished_at IS NULL
    """
)
_FAILURES = text(
    """
    SELECT b.failed + b.invalid - b.forgiven + coalesce(sum(s.failed + s.invalid), 0)
    FROM batches b LEFT JOIN slices s ON s.batch_id = b.id AND s.phase <> 'validate'
    WHERE b.id = :batch_id GROUP BY b.id
    """
)
_DROP_READY = text("DELETE FROM slices WHERE batch_id = :batch_id AND state = 'READY'")


def request_stop(connection: Connection, batch_id: UUID, reason: str) -> None:
    """Begin no further slice of the batch. The first reason given stays."""
    connection.execute(_REQUEST, {"batch_id": batch_id, "reason": reason})


def drop_ready_slices(connection: Connection, batch_id: UUID) -> int:
    """Forget the slices that nobody has claimed, of a batch whose row the caller has locked."""
    return connection.execute(_DROP_READY, {"batch_id": batch_id}).rowcount


def failures_so_far(connection: Connection, batch_id: UUID) -> int:
    """Items of the batch that ended FAILED or INVALID, those of the wave under way included.

    What had failed before a retry, and was not retried, does not count.
    """
    return int(connection.execute(_FAILURES, {"batch_id": batch_id}).scalar_one())
