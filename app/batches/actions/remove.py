"""remove: an ended batch is deleted with its items."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import Connection, Engine

from app.audit.recording import record
from app.batches.actions.lock import lock_batch, require
from app.batches.long_work import IN_REQUEST, Left, Pace, Work, begin, continue_long_work
from app.core import lifecycle
from app.db import transaction


def remove(
    engine: Engine,
    client_id: UUID,
    batch_id: UUID,
    *,
    pace: Pace = IN_REQUEST,
    unless: Callable[[Connection], None] = lambda _: None,
) -> bool:
    """Delete an ended batch with its items; whether it is gone.

    False where that takes longer than `pace` allows: workers go on with it, once `advance` is sent
    or the sweep has found it. `unless`: called while nobody else can change the batch; what it
    raises is raised. Asking again while it is under way is no error. Raises NotFound and
    WrongState.
    """
    with transaction(engine) as connection:
        batch = lock_batch(connection, client_id, batch_id, also_while=(lifecycle.DELETE,))
        unless(connection)
        require(batch, lifecycle.BATCH_ENDED, "be deleted")
        work = Work(lifecycle.DELETE, index=batch.total, total=batch.total)
        if batch.doing is None:
            detail = {"items": batch.total, "status": batch.status}
            record(
                connection,
                "batch.delete",
                client_id=batch.client_id,
                batch_id=batch_id,
                detail=detail,
            )
            if not begin(connection, batch, work, pace):
                return True
    return continue_long_work(engine, batch_id, pace) is Left.NOTHING
