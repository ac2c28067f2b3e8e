"""cancel: what has not begun ends CANCELED, at once; what is under way finishes."""

from __future__ import annotations

from sqlalchemy import Connection

from app.batches.actions.lock import Moved, require
from app.batches.long_work import Pace, cancel_all
from app.batches.stop import drop_ready_slices, request_stop
from app.core import lifecycle
from app.db.statements.batches import BatchRow


def cancel(connection: Connection, batch: BatchRow, pace: Pace) -> Moved:
    """Cancel the batch, and end it too where no worker holds any of it.

    The order matters: with the READY slices gone and the batch's row locked nothing can be
    claimed any more, but for a slice that is given back in this moment, which counts as claimed.
    """
    require(
        batch,
        (
            lifecycle.OPEN,
            lifecycle.SCHEDULED,
            lifecycle.AWAITING,
            lifecycle.PENDING,
            lifecycle.RUNNING,
            lifecycle.PAUSED,
        ),
        "be canceled",
    )
    return stop_all(connection, batch, lifecycle.STOP_CANCELED, pace)


def stop_all(connection: Connection, batch: BatchRow, reason: str, pace: Pace) -> Moved:
    """Begin nothing more of the batch, and cancel what nobody holds, or go on with that."""
    if batch.doing == lifecycle.CANCEL:
        return Moved(advance=True, more=True, detail=None)
    request_stop(connection, batch.id, reason)
    drop_ready_slices(connection, batch.id)
    more = cancel_all(connection, batch, pace)
    # Where a worker holds some of it, `advance` ends it, and cancels what was put off since.
    return Moved(advance=True, more=more)
