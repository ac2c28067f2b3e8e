"""How a batch ends: once, with a summary that was counted over its items."""

from __future__ import annotations

from uuid import UUID

import structlog
from sqlalchemy import Connection, text

from app.batches.batch_view import BATCHES, batch_view
from app.batches.serializers import batch_body
from app.core.lifecycle import STOP_CANCELED, settled_status
from app.db import after_commit
from app.events.listeners import BatchEnded, listener
from app.webhooks.recording import BATCH_FINISHED, record, wants

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
           count(*) FILTER (WHERE status = 'PENDING') AS pending,
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
    RETURNING client_id, operation,
              extract(epoch FROM finished_at - coalesce(started_at, finished_at)) AS seconds
    """
)
_ENDED = text(f"{BATCHES} WHERE b.id = :batch_id")
_STOPPING = text("SELECT stopping FROM batches WHERE id = :batch_id")


def cancel_rest(connection: Connection, batch_id: UUID) -> int:
    """Cancel what has not ended, in one statement; how many items that were."""
    return connection.execute(_CANCEL, {"batch_id": batch_id}).rowcount


def settle(connection: Connection, batch_id: UUID) -> str | None:
    """End the batch, whose row the caller has locked, if its items have all ended; its status.

    None, and nothing done, where an item has not: the caller has to see to it.
    """
    counts = connection.execute(_COUNT, {"batch_id": batch_id}).one()
    if counts.pending:
        return None
    stopping = connection.execute(_STOPPING, {"batch_id": batch_id}).scalar_one()
    status = settled_status(
        total=counts.total,
        completed=counts.completed,
        canceled_by_caller=stopping == STOP_CANCELED,
    )
    ended = connection.execute(
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
    ).one()
    webhooks = _note_for_webhooks(connection, ended.client_id, batch_id)
    end = BatchEnded(batch_id, status, ended.operation, float(ended.seconds), tuple(webhooks))
    after_commit(connection, lambda: listener().ended(end))
    log.info("batch.settled", batch=str(batch_id), status=status, total=counts.total)
    return status


def _note_for_webhooks(connection: Connection, client_id: UUID, batch_id: UUID) -> list[UUID]:
    """Write down who is to be told. Workers send it once this transaction has committed."""
    webhooks = wants(connection, client_id, BATCH_FINISHED)
    if not webhooks:
        return []
    batch = batch_view(connection.execute(_ENDED, {"batch_id": batch_id}).one())
    assert batch.finished_at is not None  # noqa: S101 (it has just been set)
    record(
        connection,
        webhooks,
        BATCH_FINISHED,
        at=batch.finished_at,
        data=batch_body(batch),
        batch_id=batch_id,
    )
    return webhooks
