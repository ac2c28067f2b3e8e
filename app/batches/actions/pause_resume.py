"""pause and resume: no further slice begins; then they go on where they were."""

from __future__ import annotations

from sqlalchemy import Connection

from app.batches.actions.lock import require
from app.batches.telling import tell_of_pause
from app.core import lifecycle
from app.core.errors import WrongState
from app.db.statements.batches import BatchRow
from app.db.statements.pauses import PAUSE_BATCH, RESUME_BATCH
from app.db.statements.slices import MARK_READY_SLICES


def pause(connection: Connection, batch: BatchRow) -> bool:
    """Begin nothing more; slices under way finish, and what they brought is kept."""
    require(batch, (lifecycle.PENDING, lifecycle.RUNNING), "be paused")
    _refuse_stopping(batch, "paused")
    at = connection.execute(PAUSE_BATCH, {"batch_id": batch.id}).scalar_one()
    tell_of_pause(connection, batch, at)
    return False


def resume(connection: Connection, batch: BatchRow) -> bool:
    """Go on. A batch that was paused before it had begun is PENDING again."""
    require(batch, (lifecycle.PAUSED,), "be resumed")
    _refuse_stopping(batch, "resumed")
    status = lifecycle.PENDING if batch.started_at is None else lifecycle.RUNNING
    connection.execute(RESUME_BATCH, {"batch_id": batch.id, "status": status})
    # `advance` sends them again at once.
    connection.execute(MARK_READY_SLICES, {"batch_id": batch.id})
    return True


def _refuse_stopping(batch: BatchRow, what: str) -> None:
    if batch.stopping:
        raise WrongState(f"The batch is {batch.status} and being stopped; it cannot be {what}.")
