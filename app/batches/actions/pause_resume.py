"""pause and resume: no further slice begins; then they go on where they were."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

from app.batches.actions.lock import require
from app.core import lifecycle
from app.core.errors import WrongState

_SET = text("UPDATE batches SET status = :status, revision = revision + 1 WHERE id = :batch_id")
# Their messages came while the batch was paused, and were dropped. `advance` sends what bears this
# mark again at once.
_SEND_AGAIN = text(
    """
    UPDATE slices SET sent_at = '-infinity', sends = 1, not_before = NULL, parked_at = NULL
    WHERE batch_id = :batch_id AND state = 'READY'
    """
)


def pause(connection: Connection, batch: Any) -> bool:
    """Begin nothing more; slices under way finish, and what they brought is kept."""
    require(batch, (lifecycle.PENDING, lifecycle.RUNNING), "be paused")
    _refuse_stopping(batch, "paused")
    connection.execute(_SET, {"batch_id": batch.id, "status": lifecycle.PAUSED})
    return False


def resume(connection: Connection, batch: Any) -> bool:
    """Go on. What was paused before it had begun waits for the engine again."""
    require(batch, (lifecycle.PAUSED,), "be resumed")
    _refuse_stopping(batch, "resumed")
    status = lifecycle.PENDING if batch.started_at is None else lifecycle.RUNNING
    connection.execute(_SET, {"batch_id": batch.id, "status": status})
    connection.execute(_SEND_AGAIN, {"batch_id": batch.id})
    return True


def _refuse_stopping(batch: Any, what: str) -> None:
    if batch.stopping:
        raise WrongState(f"The batch is {batch.status} and being stopped; it cannot be {what}.")
