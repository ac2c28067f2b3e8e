"""Reading failures: a batch's, and a client's over all its batches.

Of a batch there are at most MOST_FAILURES, with SPREAD counts each, so all are read and the page is
cut of them, by the order that counts have at the moment. What is shown of the items themselves (the
first, the last, one whole message) is looked up for the page alone, by ix_items_failure.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import TextClause, text

from app.db.statements.rows import columns


@dataclass(frozen=True, slots=True)
class FailureRow:
    """A failure of a batch. `first_index`, `last_index`: None where its items have just gone."""

    failure: str
    operation: str | None
    status: str | None
    code: int | None
    message: str
    count: int
    first_index: int | None
    last_index: int | None
    example: str | None


@dataclass(frozen=True, slots=True)
class ClientFailureRow:
    """A failure of a client's batches. `batches`: of how many."""

    failure: str
    operation: str | None
    status: str | None
    code: int | None
    message: str
    count: int
    batches: int
    first_at: datetime
    last_at: datetime
    example: str | None


OTHER_MESSAGE = "'Other failures'"
"""What those beyond a batch's thousandth say, who have no row of their own; a literal of SQL."""
# Behind the last entry of the page before, in the order of the list.
_AFTER = "(t.count, t.failure) < (:count, :failure)"


@cache
def select_failures(*, after: bool = False) -> TextClause:
    """The :limit most frequent failures of the batch :batch_id; `after`: behind :count, :failure.

    By the primary keys of failures and their counts; no lock.
    """
    return text(
        f"""
        WITH t AS MATERIALIZED (
            SELECT failure, sum(count)::bigint AS count FROM failure_counts
            WHERE batch_id = :batch_id GROUP BY failure HAVING sum(count) > 0
        ), page AS MATERIALIZED (
            SELECT * FROM t WHERE {_AFTER if after else "true"}
            ORDER BY count DESC, failure DESC LIMIT :limit
        ), known AS (
            SELECT page.failure, f.operation, f.status, f.code,
                   coalesce(f.message, {OTHER_MESSAGE}) AS message, page.count,
                   (SELECT i.index FROM items i WHERE {_of("page", ":batch_id")}
                    ORDER BY i.failure, i.index LIMIT 1) AS first_index,
                   (SELECT i.index FROM items i WHERE {_of("page", ":batch_id")}
                    ORDER BY i.failure DESC, i.index DESC LIMIT 1) AS last_index
            FROM page LEFT JOIN failures f ON f.batch_id = :batch_id AND f.failure = page.failure
        )
        SELECT {columns(FailureRow, "shown")} FROM (
            SELECT known.*, i.message AS example FROM known
            LEFT JOIN items i ON i.batch_id = :batch_id AND i.index = known.first_index
        ) shown ORDER BY count DESC, failure DESC
        """
    )


def _of(row: str, batch_id: str) -> str:
    """The items of that failure. As a range, so that only ix_items_failure has their order."""
    return f"i.batch_id = {batch_id} AND i.failure >= {row}.failure AND i.failure <= {row}.failure"


FILTERS = {
    "operation": "f.operation = :operation",
    "since": "t.last_at >= :since",
    "count": _AFTER,
}
"""What a client's failures are chosen by; `count`, with `failure`: where the last page ended."""


@cache
def select_client_failures(given: Collection[str]) -> TextClause:
    """The :limit most frequent failures over all batches.

    `given`: names of filters; with `client_id`, over the batches of :client_id alone. By the
    client's index on batches, or all of them, and the counts of each, as many as there are; no
    lock. A batch's counts are added up first: what was chosen to run again is taken off in a row of
    its own, below zero. The example is of the newest batch that has it, which is told without
    sorting them all: the text of an id begins with when it was made.
    """
    whose = "WHERE b.client_id = :client_id" if "client_id" in given else ""
    chosen = " AND ".join(FILTERS[name] for name in sorted(given) if name in FILTERS) or "true"
    return text(
        f"""
        WITH of_batch AS (
            SELECT c.failure, c.batch_id, sum(c.count)::bigint AS count,
                   min(c.first_at) FILTER (WHERE c.count > 0) AS first_at,
                   max(c.last_at) FILTER (WHERE c.count > 0) AS last_at
            FROM failure_counts c JOIN batches b ON b.id = c.batch_id
            {whose} GROUP BY c.batch_id, c.failure HAVING sum(c.count) > 0
        ), t AS MATERIALIZED (
            SELECT failure, sum(count)::bigint AS count, min(first_at) AS first_at,
                   max(last_at) AS last_at, count(*) AS batches,
                   CAST(max(CAST(batch_id AS text) COLLATE "C") AS uuid) AS batch_id
            FROM of_batch GROUP BY failure
        )
        SELECT {columns(ClientFailureRow, "shown")} FROM (
            SELECT t.failure, f.operation, f.status, f.code,
                   coalesce(f.message, {OTHER_MESSAGE}) AS message, t.count, t.batches, t.first_at,
                   t.last_at,
                   (SELECT i.message FROM items i WHERE {_of("t", "t.batch_id")}
                    ORDER BY i.failure, i.index LIMIT 1) AS example
            FROM t LEFT JOIN failures f ON f.batch_id = t.batch_id AND f.failure = t.failure
            WHERE {chosen} ORDER BY t.count DESC, t.failure DESC LIMIT :limit
        ) shown ORDER BY count DESC, failure DESC
        """
    )
