"""Repeated keys: items of one batch that touch the same record are put into a lane.

A lane is named by the index of its first item. Its items leave the first pass and are picked in
order, a lane always within one slice. A batch whose keys are all different never gets here.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, text

_PREPARE = text(
    """
    UPDATE items SET lane = r.head, due_at = now()
    FROM (
        SELECT index, head FROM (
            SELECT index, min(index) OVER same AS head, count(*) OVER same AS times
            FROM items WHERE batch_id = :batch_id AND key IS NOT NULL AND status = 'PENDING'
            WINDOW same AS (PARTITION BY key)
        ) counted WHERE times > 1
    ) r
    WHERE items.batch_id = :batch_id AND items.index = r.index
    """
)


def find_lanes(connection: Connection, batch_id: UUID) -> int:
    """Put every item whose key is repeated into its lane; how many there were."""
    return connection.execute(_PREPARE, {"batch_id": batch_id}).rowcount
