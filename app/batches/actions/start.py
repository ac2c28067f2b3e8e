"""start: a batch that was staged, or that waits for its time, begins."""

from __future__ import annotations

from sqlalchemy import Connection

from app.batches.actions.lock import require
from app.batches.approval import check_first, is_needed
from app.core import lifecycle
from app.core.errors import WrongState
from app.db.clock import has_passed
from app.db.statements.batches import SET_BATCH_STATUS, BatchRow


def start(connection: Connection, batch: BatchRow, *, honour_schedule: bool) -> bool:
    """Begin now, whatever its time was; with `honour_schedule` wait for a time still to come.

    One that needs approval is looked at, and then awaits it.
    """
    require(batch, (lifecycle.OPEN, lifecycle.SCHEDULED), "be started")
    if batch.total == 0:
        raise WrongState(f"The batch is {batch.status} and empty; it needs an item to be started.")
    wait = (
        honour_schedule
        and batch.scheduled_at is not None
        and not has_passed(connection, batch.scheduled_at)
    )
    if is_needed(batch):
        check_first(connection, batch, batch.scheduled_at if wait else None)
        return True
    status = lifecycle.SCHEDULED if wait else lifecycle.PENDING
    connection.execute(SET_BATCH_STATUS, {"batch_id": batch.id, "status": status})
    return not wait
