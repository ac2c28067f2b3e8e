"""How a batch ends: once, with a summary that was counted over its items."""

from __future__ import annotations

from uuid import UUID

import structlog
from sqlalchemy import Connection, text

from app.batches.lifecycle import STOP_CANCELED, settled_status

log = structlog.get_logger(__name__)

# Nothing of these is under way: claimed slices are over before this is called.
_CANCEL = text(
    """
    UPDATE items SET status = 'CANCELED', finished_at = clock_timestamp(), due_at = NULL,
                     deferred = false
    WHERE batch_id = :batch_id AND status = 'PENDING'
    """
)
_COUNT = text(
    """
    SELECT count(*) AS total,
           count(*) FILTER (WHERE status = 'SUCCESS') AS completed,
           count(*) FILTER (WHERE status = 'FAILED') AS failed,
           count(*) FILTER (WHERE status = 'INVALID') AS invalid,
           count(*) FILTER (WHERE status = 'CANCELED') AS canceled
    FROM items WHERE batch_id = :batch_id
    """
)
_SETTLE = text(
    """
    UPDATE batches SET status = :status, finished_at = clock_timestamp(), total = :total,
        completed = :completed, failed = :failed, invalid = :invalid, canceled = :canceled,
        stop_reason = stopping, stopping = NULL, due_at = NULL, stalled = 0,
        revision = revision + 1
    WHERE id = :batch_id AND finished_at IS NULL
    """
)
_STOPPING = text("SELECT stopping FROM batches WHERE id = :batch_id")


def cancel_rest(connection: Connection, batch_id: UUID) -> int:
    """Cancel what has not ended, in one statement; how many items that were."""
    return connection.execute(_CANCEL, {"batch_id": batch_id}).rowcount


def settle(connection: Connection, batch_id: UUID) -> str:
    """End the batch, whose row the caller has locked and whose items have all ended; its status."""
    counts = connection.execute(_COUNT, {"batch_id": batch_id}).one()
    stopping = connection.execute(_STOPPING, {"batch_id": batch_id}).scalar_one()
    status = settled_status(
        total=counts.total,
        completed=counts.completed,
        canceled_by_caller=stopping == STOP_CANCELED,
    )
    connection.execute(
        _SETTLE,
        {
            "batch_id": batch_id,
            "status": status,
            "total": counts.total,
            "completed": counts.completed,
            "failed": counts.failed,
            "invalid": counts.invalid,
            "canceled": counts.canceled,
        },
    )
    log.info("batch.settled", batch=str(batch_id), status=status, total=counts.total)
    return status
