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


@lru_cache
def page_items(filters: frozenset[str]) -> TextClause:
    """A page of a job's items, from `start`, those that pass all of `filters`.

    `filters`: of "word" (a processing status) and "operations". By pk_items: without a filter from
    `start` on, as items are numbered without gaps; with one, what is picked out is counted off.
    """
    conditions = _conditions(filters) or "index >= :start"
    skip = "OFFSET :start" if filters else ""
    return _on_operations(
        f"""
        {_SHOWN} SELECT index, operation, word, message, input::text AS input
        FROM shown WHERE {conditions} ORDER BY index LIMIT :size {skip}
        """,
        filters,
    )


@lru_cache
def count_items(filters: frozenset[str]) -> TextClause:
    """How many of a job's items pass all of `filters`, of which there is at least one."""
    conditions = _conditions(filters)
    return _on_operations(f"{_SHOWN} SELECT count(*) FROM shown WHERE {conditions}", filters)


def _conditions(filters: Collection[str]) -> str:
    return " AND ".join(_CONDITIONS[name] for name in sorted(filters))


def _on_operations(sql: str, filters: Collection[str]) -> TextClause:
    statement = text(sql)
    if "operations" not in filters:
        return statement
    return statement.bindparams(bindparam("operations", type_=ARRAY(Text)))
