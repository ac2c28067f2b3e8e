"""How things stand for a client, or for all: what the console's first page asks for.

Only what is unfinished is looked at, so the cost is that of the work under way. No item is read.
"""

from __future__ import annotations

from functools import cache

from sqlalchemy import TextClause, text


@cache
def count_unfinished(*, of_client: bool) -> TextClause:
    """Batches that have not ended, and their items that have not, by status.

    Of the client :client_id alone, or of all; items as of the last wave. By ix_batches_unfinished.
    """
    return text(
        f"""
        SELECT b.status, count(*) AS batches,
               sum(b.total - b.completed - b.failed - b.invalid - b.canceled) AS items
        FROM batches b WHERE b.finished_at IS NULL {_client(of_client)} GROUP BY b.status
        """
    )


@cache
def find_oldest_waiting(*, of_client: bool) -> TextClause:
    """The batch that has waited longest for items to be begun, and since when. No row for none.

    By ix_batches_unfinished. Only where all items of one are begun is the next one's work looked
    at, by the slices' primary key: there may be thousands that wait.
    """
    return text(
        f"""
        SELECT b.id, b.since FROM (
            SELECT b.id, greatest(b.created_at, b.scheduled_at, b.started_at) AS since,
                   b.total - b.completed - b.failed - b.invalid - b.canceled AS unfolded
            FROM batches b
            WHERE b.finished_at IS NULL AND b.status IN ('PENDING', 'RUNNING') {_client(of_client)}
            ORDER BY since OFFSET 0
        ) b WHERE b.unfolded > coalesce((
            SELECT sum(CASE WHEN s.state = 'CLAIMED' THEN s.size
                            ELSE s.completed + s.failed + s.invalid END)
            FROM slices s WHERE s.batch_id = b.id), 0)
        ORDER BY b.since LIMIT 1
        """
    )


@cache
def count_in_line(*, of_client: bool) -> TextClause:
    """Batches in line for their turn, by the workers they need: ix_batches_turn."""
    return text(
        f"""
        SELECT b.queue, count(*) AS number FROM batches b
        WHERE b.turn_at IS NOT NULL {_client(of_client)} GROUP BY b.queue ORDER BY b.queue
        """
    )


def _client(of_client: bool) -> str:
    return "AND b.client_id = :client_id" if of_client else ""


# The newest deliveries that tell of a batch: those of the webhooks of its client, which are few,
# newest first, among their latest :look each. By ix_webhooks_client_id_id and
# ix_webhook_deliveries_webhook_id_id.
LIST_DELIVERIES_OF_BATCH = text(
    """
    SELECT d.id, d.webhook_id, w.url, d.event, d.status, d.attempts, d.created_at, d.tried_at,
           d.answer_status, d.error
    FROM webhooks w CROSS JOIN LATERAL (
        SELECT * FROM webhook_deliveries l WHERE l.webhook_id = w.id ORDER BY l.id DESC LIMIT :look
    ) d
    WHERE w.client_id = :client_id AND d.batch_id = :batch_id
    ORDER BY d.id DESC LIMIT :limit
    """
)
