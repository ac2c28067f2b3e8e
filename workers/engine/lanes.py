"""Repeated keys: items of one batch that touch the same record are put into a lane.

A lane is named by the index of its first item. Its items leave the first pass and are picked in
order, a lane's always within one slice. A batch whose keys are all different never gets here.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Integer

_REPEATED = text(
    """
    SELECT index, head FROM (
        SELECT index, min(index) OVER same AS head, count(*) OVER same AS times
        FROM items WHERE batch_id = :batch_id AND key IS NOT NULL AND status = 'PENDING'
        WINDOW same AS (PARTITION BY key)
    ) counted WHERE times > 1 ORDER BY index
    """
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


def find_lanes(connection: Connection, batch_id: UUID) -> int:
    """Put every item whose key is repeated into its lane; how many there were."""
    marked = 0
    repeated = connection.execution_options(yield_per=_CHUNK).execute(
        _REPEATED, {"batch_id": batch_id}
    )
    for rows in repeated.partitions(_CHUNK):
        indexes = [row.index for row in rows]
        connection.execute(
            _MARK,
            {
                "batch_id": batch_id,
                "indexes": indexes,
                "heads": [row.head for row in rows],
                "first": indexes[0],
                "last": indexes[-1],
            },
        )
        marked += len(rows)
    return marked
