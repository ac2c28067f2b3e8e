"""How things stand for a client, or for all: what the console's first page asks for.

Only what is unfinished is looked at, so the cost is that of the work under way; and of what has
ended the latest. No item is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from uuid import UUID

from sqlalchemy import TextClause, text

from app.core.lifecycle import NOT_ALL_WELL
from app.db.statements.failure_lists import OTHER_MESSAGE


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


LATEST_ENDED = 2000
"""Of batches that did not end well so many, the newest, are looked at for such in which items
failed: of a client's for each way to end, of all clients' of those that ended last."""


@dataclass(frozen=True, slots=True)
class CauseRow:
    """A failure of the latest batches: how many items of how many of them have it.

    `batch_id`: the newest of them. `operation`, `code`: none of failures beyond a batch's
    thousandth, which have no message of their own.
    """

    failure: str
    operation: str | None
    code: int | None
    count: int
    batches: int
    batch_id: UUID
    message: str


@cache
def list_latest_causes(*, of_client: bool) -> TextClause:
    """The :limit most frequent CauseRows of the :batches newest batches in which items failed.

    What was only tried out is left out. Of the client :client_id by ix_batches_client_id_status_id,
    of all by ix_batches_finished_at; those that run by ix_batches_unfinished. Then by the counts'
    primary key: a thousand failures a batch at the most.
    """
    if of_client:
        latest = " UNION ALL ".join(
            _with_failures(f"b.client_id = :client_id AND b.status = '{status}'", "b.id")
            for status in NOT_ALL_WELL
        )
    else:
        latest = _with_failures("b.finished_at IS NOT NULL", "b.finished_at")
    return text(
        f"""
        WITH latest AS MATERIALIZED (
            SELECT id FROM ({latest} UNION ALL
                (SELECT b.id FROM batches b
                 WHERE b.finished_at IS NULL AND b.status IN ('RUNNING', 'PAUSED')
                   AND NOT b.dry_run
                   AND EXISTS (SELECT FROM failure_counts c WHERE c.batch_id = b.id)
                   {_client(of_client)} ORDER BY b.id DESC LIMIT :batches)) AS found
            ORDER BY id DESC LIMIT :batches
        ), counted AS (
            SELECT c.failure, c.batch_id, sum(c.count)::bigint AS count
            FROM failure_counts c JOIN latest ON latest.id = c.batch_id
            GROUP BY c.failure, c.batch_id HAVING sum(c.count) > 0
        ), causes AS MATERIALIZED (
            SELECT failure, sum(count)::bigint AS count, count(*) AS batches,
                   (array_agg(batch_id ORDER BY batch_id DESC))[1] AS batch_id
            FROM counted GROUP BY failure ORDER BY 2 DESC, failure LIMIT :limit
        )
        SELECT causes.failure, f.operation, f.code, causes.count, causes.batches, causes.batch_id,
               coalesce(f.message, {OTHER_MESSAGE}) AS message
        FROM causes LEFT JOIN failures f
             ON f.batch_id = causes.batch_id AND f.failure = causes.failure
        ORDER BY causes.count DESC, causes.failure
        """
    )


def _with_failures(condition: str, newest_by: str) -> str:
    return f"""(SELECT b.id FROM (
                    SELECT b.id, b.failed, b.invalid, b.dry_run FROM batches b
                    WHERE {condition} ORDER BY {newest_by} DESC LIMIT {LATEST_ENDED}) b
                WHERE b.failed + b.invalid > 0 AND NOT b.dry_run
                ORDER BY b.id DESC LIMIT :batches)"""


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
