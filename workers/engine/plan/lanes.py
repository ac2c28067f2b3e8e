"""Repeated keys: items of one batch that touch the same record are put into a lane.

The same record is the same collection and key; where an operation has no collection, its own
records are meant. A lane is named by the index of its first item. Its items leave the first pass
and are picked in order, a lane's always within one slice. A batch whose keys are all different
never gets here.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Integer, Text

from handlers import Registry

_REPEATED = """
    SELECT index, head FROM (
        SELECT index, min(index) OVER same AS head, count(*) OVER same AS times
        FROM items {collections}
        WHERE batch_id = :batch_id AND key IS NOT NULL AND status = 'PENDING'
        WINDOW same AS (PARTITION BY {collection} key)
    ) counted WHERE times > 1 ORDER BY index
"""
_UNIFORM = text(_REPEATED.format(collections="", collection=""))
_MIXED = text(
    _REPEATED.format(
        collections="""
            LEFT JOIN unnest(:operations, :collections) AS c (name, collection)
                   ON c.name = coalesce(items.operation, :operation)
        """,
        collection="coalesce(c.collection, items.operation),",
    )
).bindparams(
    bindparam("operations", type_=ARRAY(Text)), bindparam("collections", type_=ARRAY(Text))
)
# Bounded by positions, so that the plan is good before the table has statistics, too.
_MARK = text(
    """
    UPDATE items SET lane = u.head, due_at = now()
    FROM unnest(:indexes, :heads) AS u (index, head)
    WHERE items.batch_id = :batch_id AND items.index BETWEEN :first AND :last
      AND items.index = u.index
    """
).bindparams(bindparam("indexes", type_=ARRAY(Integer)), bindparam("heads", type_=ARRAY(Integer)))
_CHUNK = 5000


def find_lanes(connection: Connection, registry: Registry, batch: Any) -> int:
    """Put every pending item of `batch` whose key is repeated into its lane; how many."""
    marked = 0
    parameters: dict[str, Any] = {"batch_id": batch.id}
    if batch.mixed:
        known = list(registry)
        parameters["operation"] = batch.operation
        parameters["operations"] = [one.name for one in known]
        parameters["collections"] = [one.collection or one.name for one in known]
    repeated = connection.execute(
        _MIXED if batch.mixed else _UNIFORM, parameters, execution_options={"yield_per": _CHUNK}
    )
    for rows in repeated.partitions(_CHUNK):
        indexes = [row.index for row in rows]
        connection.execute(
            _MARK,
            {
                "batch_id": batch.id,
                "indexes": indexes,
                "heads": [row.head for row in rows],
                "first": indexes[0],
                "last": indexes[-1],
            },
        )
        marked += len(rows)
    return marked
