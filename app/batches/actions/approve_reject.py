"""approve and reject: somebody else decides whether a batch runs."""

from __future__ import annotations

from sqlalchemy import Connection

from app.batches.actions.cancel import stop_all
from app.batches.actions.lock import Moved, require
from app.batches.long_work import Pace
from app.core import lifecycle
from app.core.actor import current_actor
from app.core.errors import Forbidden
from app.db.clock import has_passed
from app.db.statements.approvals import APPROVE_BATCH, IS_CONTRIBUTOR
from app.db.statements.batches import BatchRow


def approve(connection: Connection, batch: BatchRow) -> Moved:
    """Let the batch run, or wait for its time if that is still to come.

    Raises Forbidden for a key that has put something into it, and for whoever has none.
    """
    require(batch, (lifecycle.AWAITING,), "be approved")
    key_id = current_actor().key_id
    asked = {"batch_id": batch.id, "key_id": key_id}
    if key_id is None or connection.execute(IS_CONTRIBUTOR, asked).scalar_one():
        raise Forbidden(
            "Whoever submitted the batch, or changed what is in it, may not approve it: another "
            "key has to."
        )
    moment = batch.scheduled_at
    waits = moment is not None and not has_passed(connection, moment)
    status = lifecycle.SCHEDULED if waits else lifecycle.PENDING
    connection.execute(APPROVE_BATCH, {"batch_id": batch.id, "status": status})
    detail = {"items": batch.total - batch.ended_items, "invalid": batch.invalid}
    return Moved(advance=not waits, detail=detail)


def reject(connection: Connection, batch: BatchRow, pace: Pace) -> Moved:
    """End the batch CANCELED; nothing of it has run."""
    require(batch, (lifecycle.AWAITING,), "be rejected")
    return stop_all(connection, batch, lifecycle.STOP_REJECTED, pace)
