"""Stopping a batch: by its caller's cancel or rejection, or because too many items failed.

What is under way finishes; nothing new begins; the rest is canceled (app/batches/long_work), by the
caller's request or once the claimed slices are through (by `advance`).
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection

from app.batches.guards import Tally
from app.db.statements.batch_progress import COUNT_FAILURES_OF_BATCH
from app.db.statements.batches import REQUEST_STOP_OF_BATCH
from app.db.statements.slices import DROP_READY_SLICES


def request_stop(connection: Connection, batch_id: UUID, reason: str) -> None:
    """Begin no further slice of the batch. The first reason given stays."""
    connection.execute(REQUEST_STOP_OF_BATCH, {"batch_id": batch_id, "reason": reason})


def drop_ready_slices(connection: Connection, batch_id: UUID) -> int:
    """Delete the unclaimed slices of a batch, whose row the caller has locked."""
    return connection.execute(DROP_READY_SLICES, {"batch_id": batch_id}).rowcount


def tally_so_far(connection: Connection, batch_id: UUID) -> Tally:
    """Of the batch's items, those of the wave under way included.

    What had ended before a retry, and was not retried, does not count.
    """
    counts = connection.execute(COUNT_FAILURES_OF_BATCH, {"batch_id": batch_id}).one()
    return Tally(
        failures=int(counts.failures),
        of_share=int(counts.of_share),
        processed=int(counts.processed),
    )
