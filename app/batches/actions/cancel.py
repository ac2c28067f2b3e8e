"""cancel: what has not begun ends CANCELED, at once; what is under way finishes."""

from __future__ import annotations

from sqlalchemy import Connection

from app.batches.actions.lock import require
from app.batches.settling import settle
from app.batches.stop import drop_ready_slices, request_stop
from app.core import lifecycle
from app.db.statements.batches import ADD_CANCELED_TO_BATCH, BatchRow
from app.db.statements.items import CANCEL_ITEMS_NOT_HELD
from app.db.statements.slices import COUNT_CLAIMED_SLICES, DROP_DONE_SLICES


def cancel(connection: Connection, batch: BatchRow) -> bool:
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
    canceled = connection.execute(CANCEL_ITEMS_NOT_HELD, this).rowcount
    if connection.execute(COUNT_CLAIMED_SLICES, this).scalar_one():
        connection.execute(ADD_CANCELED_TO_BATCH, {**this, "canceled": canceled})
        return True
    connection.execute(DROP_DONE_SLICES, this)
    # Items held a moment ago may have been put off since; `advance` cancels those.
    return settle(connection, batch.id) is None
