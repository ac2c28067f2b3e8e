"""The statements on the items of a job, in Kibo's words."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text

from app.core.lifecycle import FAILED, RUNNING
from app.db.statements.held_items import held_items
from app.dialects.kibo.dialect import ITEM

# An item that a claimed slice holds is Running; FAILED with 404 is ValidationFailed.
_WORD = f"""
    CASE WHEN h.index IS NOT NULL THEN '{ITEM[RUNNING]}'
         WHEN i.status = '{FAILED}' AND i.code = 404 THEN 'ValidationFailed'
         {" ".join(f"WHEN i.status = '{status}' THEN '{word}'" for status, word in ITEM.items())}
    END
"""
_SHOWN = f"""
    WITH held AS MATERIALIZED ({held_items(":batch_id")}),
    shown AS (
        SELECT i.index, i.operation, {_WORD} AS word, i.message, i.input
        FROM items i LEFT JOIN held h ON h.index = i.index WHERE i.batch_id = :batch_id
    )
"""
_CONDITIONS = {"word": "word = :word", "operations": "operation = ANY(:operations)"}


# The job's batch that `start` newer ones of the client's stand before, by the index of dialects'
# references: they are counted off, in Postgres, and one id comes back.
FIND_JOB_BEFORE = text(
    """
    SELECT id FROM batches WHERE client_id = :client_id AND dialect = :dialect
    ORDER BY id DESC OFFSET :start LIMIT 1
    """
)


@lru_cache
def page_items(filters: frozenset[str], *, counted: bool) -> TextClause:
    """At most `size` of a job's items behind the index `after`, that pass all of `filters`.

    `filters`: of "word" (a processing status) and "operations". `counted`: leave out the first
    `skip` of them. Ends with the item that brings the page to `most_bytes`. By pk_items.
    """
    conditions = " AND ".join(["index > :after", *_conditions(filters)])
    skip = "OFFSET :skip" if counted else ""
    return _on_operations(
        f"""
        {_SHOWN} SELECT index, operation, word, message, input FROM (
            SELECT *, sum(octet_length(input)) OVER (ORDER BY index) - octet_length(input) AS before
            FROM (
                SELECT index, operation, word, message, input::text AS input
                FROM shown WHERE {conditions} ORDER BY index LIMIT :size {skip}
            ) asked
        ) sized WHERE before < :most_bytes ORDER BY index
        """,
        filters,
    )


@lru_cache
def count_items(filters: frozenset[str]) -> TextClause:
    """How many of a job's items pass all of `filters`, of which there is at least one."""
    conditions = " AND ".join(_conditions(filters))
    return _on_operations(f"{_SHOWN} SELECT count(*) FROM shown WHERE {conditions}", filters)


def _conditions(filters: Collection[str]) -> list[str]:
    return [_CONDITIONS[name] for name in sorted(filters)]


def _on_operations(sql: str, filters: Collection[str]) -> TextClause:
    statement = text(sql)
    if "operations" not in filters:
        return statement
    return statement.bindparams(bindparam("operations", type_=ARRAY(Text)))
