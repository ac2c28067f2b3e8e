"""cancel: what has not begun ends CANCELED, at once; what is under way finishes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

from app.batches.actions.lock import require
from app.batches.settling import settle
from app.batches.stop import drop_ready_slices, request_stop
from app.core import lifecycle

_CLAIMED = text("SELECT count(*) FROM slices WHERE batch_id = :batch_id AND state = 'CLAIMED'")
_DROP_DONE = text("DELETE FROM slices WHERE batch_id = :batch_id AND state = 'DONE'")
# All but those that a worker holds: a picked slice holds its picks; a range those that wait for
# no moment of their own, or, while it only looks at them, all. They are found first;
# NOT IN looks them up by hash, whatever the planner believes their number to be.
_CANCEL = text(
    """
    WITH held AS MATERIALIZED (
        SELECT range.index FROM slices s CROSS JOIN LATERAL (
            SELECT i.index FROM items i
            WHERE i.batch_id = s.batch_id AND i.index BETWEEN s.first_index AND s.last_index
              AND i.status = 'PENDING' AND (s.phase = 'validate' OR i.due_at IS NULL) OFFSET 0
        ) range
        WHERE s.batch_id = :batch_id AND s.state = 'CLAIMED' AND s.picks IS NULL
        UNION ALL
        SELECT unnest(s.picks) FROM slices s
        WHERE s.batch_id = :batch_id AND s.state = 'CLAIMED' AND s.picks IS NOT NULL
    )
    UPDATE items i SET status = 'CANCELED', finished_at = clock_timestamp(), due_at = NULL,
                       deferred = false
    WHERE i.batch_id = :batch_id AND i.status = 'PENDING'
      AND i.index NOT IN (SELECT index FROM held)
    """
)
_COUNT = text("UPDATE batches SET canceled = canceled + :canceled WHERE id = :batch_id")


def cancel(connection: Connection, batch: Any) -> bool:
    """Cancel the batch, and end it too where no worker holds any of it.

    The order matters: with the READY slices gone and the batch's row locked nothing can be
    claimed any more, so that the statement after it sees every claim there will be.
    """
    require(
        batch,
        (
            lifecycle.OPEN,
            lifecycle.SCHEDULED,
            lifecycle.PENDING,
            lifecycle.RUNNING,
            lifecycle.PAUSED,
        ),
        "be canceled",
    )
    this = {"batch_id": batch.id}
    request_stop(connection, batch.id, lifecycle.STOP_CANCELED)
    drop_ready_slices(connection, batch.id)
    canceled = connection.execute(_CANCEL, this).rowcount
    if connection.execute(_CLAIMED, this).scalar_one():
        connection.execute(_COUNT, {**this, "canceled": canceled})
        return True
    connection.execute(_DROP_DONE, this)
    # What was held a moment ago may have been put off since: `advance` sees to that.
    return settle(connection, batch.id) is None
