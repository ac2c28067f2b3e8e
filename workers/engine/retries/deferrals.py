"""Items that wait for other items of their batch, and the end of their patience.

A deferred item is due again at once. `stalled` on the batch counts the items tried since the last
one that ended. When every deferred item has been tried in vain since, then either something else
of the batch is still waiting for its time, and they wait for that, or they wait for nothing.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text, update

from app.db import after_commit
from app.db.models import Batch
from app.events.listeners import SliceFolded, listener

_LOOK = text(
    """
    WITH waiting AS MATERIALIZED (
        SELECT index, lane, deferred, due_at,
               min(index) FILTER (WHERE deferred) OVER (PARTITION BY lane) AS held_by
        FROM items WHERE batch_id = :batch_id AND due_at IS NOT NULL AND status = 'PENDING'
    ), judged AS (
        -- What stands behind a deferred item of its lane is not free to run.
        SELECT deferred, due_at,
               NOT deferred AND (lane IS NULL OR held_by IS NULL OR index < held_by) AS free
        FROM waiting
    )
    SELECT count(*) FILTER (WHERE deferred) AS deferred,
           coalesce(bool_or(free AND due_at <= now()), false) AS something_due,
           min(due_at) FILTER (WHERE free AND due_at > now()) AS something_later
    FROM judged
    """
)
_HOLD = text(
    """
    UPDATE items SET due_at = :until
    WHERE batch_id = :batch_id AND due_at IS NOT NULL AND status = 'PENDING' AND deferred
    """
)
_FAIL = text(
    """
    UPDATE items SET status = 'FAILED', finished_at = clock_timestamp(), due_at = NULL,
                     deferred = false, attempts = attempts + 1
    WHERE batch_id = :batch_id AND due_at IS NOT NULL AND status = 'PENDING' AND deferred
    """
)


def release_stuck(connection: Connection, batch: Any) -> int:
    """Fail the deferred items of `batch` (its locked row) if nothing can bring them forward.

    They keep the message and code they were deferred with. How many failed.
    """
    if not batch.stalled or batch.next_index < batch.total:
        return 0
    found = connection.execute(_LOOK, {"batch_id": batch.id}).one()
    if found.deferred == 0 or found.something_due or batch.stalled < found.deferred:
        return 0
    failed = 0
    if found.something_later is not None:
        connection.execute(_HOLD, {"batch_id": batch.id, "until": found.something_later})
    else:
        failed = connection.execute(_FAIL, {"batch_id": batch.id}).rowcount
        news = SliceFolded(batch.operation, batch.phase, 0, 0, failed, 0, 0.0)
        after_commit(connection, lambda: listener().folded(batch.id, [news]))
    connection.execute(
        update(Batch).where(Batch.id == batch.id).values(stalled=0, failed=Batch.failed + failed)
    )
    return failed
