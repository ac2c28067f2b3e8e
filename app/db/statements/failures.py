"""Failures of a batch: which there are, and how many items have each.

At most MOST_FAILURES rows a batch in `failures`, and SPREAD times as many in `failure_counts`; all
are found by the primary keys. A slice that is written adds to both by one statement, after which
its transaction has little left to do. Of slices that run at the same time each counts in a row of
its own, and all lock in the same order: first what is new, by its number, then counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger, Integer, Text

from app.db.models.failure import MOST_FAILURES

SPREAD = 8
"""In how many rows a failure is counted."""


@dataclass(frozen=True, slots=True)
class KeptFailure:
    """As what a failure was counted; None where another transaction was just adding one."""

    failure: str
    kept: str | None


# What a slice's items failed by, each failure once, with how many. One that is new takes the next
# free number; if there is none, or another takes it at the same time, nothing is added. Then it is
# counted as `other`, or, for who lost that race, not yet: to be called again for those. Numbers are
# taken upwards, and what is committed is seen, so no two wait for each other.
COUNT_FAILURES = text(
    f"""
    WITH mine AS MATERIALIZED (
        SELECT * FROM unnest(:failures, :operations, :statuses, :codes, :messages, :counts)
            AS u (failure, operation, status, code, message, count)
    ), fresh AS MATERIALIZED (
        SELECT m.failure, row_number() OVER (ORDER BY m.failure) AS place FROM mine m
        WHERE NOT EXISTS (SELECT FROM failures f
                          WHERE f.batch_id = :batch_id AND f.failure = m.failure)
    ), free AS MATERIALIZED (
        SELECT n AS number, row_number() OVER (ORDER BY n) AS place
        FROM generate_series(0, {MOST_FAILURES - 1}) n
        WHERE EXISTS (SELECT FROM fresh) AND NOT n = ANY(ARRAY(
            SELECT f.number FROM failures f WHERE f.batch_id = :batch_id))
        ORDER BY n LIMIT (SELECT count(*) FROM fresh)
    ), made AS (
        INSERT INTO failures (batch_id, failure, number, operation, status, code, message)
        SELECT :batch_id, m.failure, free.number, m.operation, m.status, m.code, m.message
        FROM free JOIN fresh USING (place) JOIN mine m USING (failure) ORDER BY free.number
        ON CONFLICT DO NOTHING RETURNING failure
    ), kept AS MATERIALIZED (
        SELECT m.failure, m.status, m.count,
               CASE WHEN fresh.failure IS NULL OR made.failure IS NOT NULL THEN m.failure
                    WHEN free.number IS NULL THEN 'other' END AS kept
        FROM mine m LEFT JOIN fresh USING (failure) LEFT JOIN free USING (place)
             LEFT JOIN made ON made.failure = m.failure
    ), counted AS (
        INSERT INTO failure_counts (batch_id, failure, status, spread, count)
        SELECT :batch_id, kept, status, :spread, sum(count) FROM kept
        WHERE kept IS NOT NULL GROUP BY kept, status ORDER BY kept, status
        ON CONFLICT (batch_id, failure, status, spread)
        DO UPDATE SET count = failure_counts.count + excluded.count, last_at = excluded.last_at
    )
    SELECT failure, kept FROM kept
    """
).bindparams(
    bindparam("failures", type_=ARRAY(Text)),
    bindparam("operations", type_=ARRAY(Text)),
    bindparam("statuses", type_=ARRAY(Text)),
    bindparam("codes", type_=ARRAY(Integer)),
    bindparam("messages", type_=ARRAY(Text)),
    bindparam("counts", type_=ARRAY(BigInteger)),
)


@dataclass(frozen=True, slots=True)
class UngroupedItem:
    """An item that went wrong and has no failure yet."""

    index: int
    operation: str | None
    status: str
    code: int | None
    message: str | None


# What the engine has ended by a statement of its own, or a release before this one ended. By
# ix_items_problem, from :first to :last; the caller has locked the slice, or the batch.
FIND_UNGROUPED_ITEMS = text(
    """
    SELECT i.index, coalesce(i.operation, b.operation) AS operation, i.status, i.code, i.message
    FROM items i JOIN batches b ON b.id = i.batch_id
    WHERE i.batch_id = :batch_id AND i.index BETWEEN :first AND :last AND i.code IS NOT NULL
      AND i.status IN ('FAILED', 'INVALID') AND i.failure IS NULL
    ORDER BY i.index LIMIT :most
    """
)

# By the primary key.
SET_FAILURE_OF_ITEMS = text(
    """
    UPDATE items SET failure = u.failure FROM unnest(:indexes, :failures) AS u (index, failure)
    WHERE items.batch_id = :batch_id AND items.index BETWEEN :first AND :last
      AND items.index = u.index
    """
).bindparams(bindparam("indexes", type_=ARRAY(Integer)), bindparam("failures", type_=ARRAY(Text)))

# retry of all that ended so. By the primary keys; the caller has locked the batch, which has ended.
DROP_FAILURES_WITH_STATUS = text(
    """
    WITH uncounted AS (
        DELETE FROM failure_counts WHERE batch_id = :batch_id AND status = ANY(:statuses)
    )
    DELETE FROM failures WHERE batch_id = :batch_id AND status = ANY(:statuses)
    """
).bindparams(bindparam("statuses", type_=ARRAY(Text)))

# reset: all of them. By the primary keys; the caller has locked the batch.
DROP_FAILURES = text(
    """
    WITH uncounted AS (DELETE FROM failure_counts WHERE batch_id = :batch_id)
    DELETE FROM failures WHERE batch_id = :batch_id
    """
)
