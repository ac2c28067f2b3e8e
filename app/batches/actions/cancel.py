"""cancel: what has not begun ends CANCELED, at once; what is under way finishes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

from app.batches.actions.lock import require
from app.batches.settling import settle
from app.batches.stop import drop_ready_slices, request_stop
from app.core import lifecycle
from app.db.statements.held_items import held_items

_CLAIMED = text("SELECT count(*) FROM slices WHERE batch_id = :batch_id AND state = 'CLAIMED'")
_DROP_DONE = text("DELETE FROM slices WHERE batch_id = :batch_id AND state = 'DONE'")
# All but those that a worker holds, which are found first, slice by slice. As one multirange each
# item is looked up in them by bisection: the cost does not hang on what the planner believes their
# number to be, as it would for NOT IN or an anti join (hundreds of slots hold 100,000 and more).
_CANCEL = text(
    f"""
    UPDATE items SET status = 'CANCELED', finished_at = clock_timestamp(), due_at = NULL,
                     deferred = false
    WHERE batch_id = :batch_id AND status = 'PENDING'
      AND NOT index <@ (
            SELECT coalesce(range_agg(int4range(held.index, held.index, '[]')), '{{}}')
            FROM ({held_items(":batch_id", validating=True)}) held)
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
