"""What a caller may do with a batch that exists, and in which state.

`act` makes a move, `amend` changes what may still change, `remove` deletes an ended batch. Each is
one transaction that locks the batch's row first, as `advance` does, so that the two never see a
batch half moved. docs/states.md draws what is allowed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal
from uuid import UUID

from sqlalchemy import Engine

from app.batches.actions.amend import amend, remove
from app.batches.actions.cancel import cancel
from app.batches.actions.lock import lock_batch
from app.batches.actions.pause_resume import pause, resume
from app.batches.actions.retry_reset import DEFAULT_RETRIED, reset, retry
from app.batches.actions.start import start
from app.core.errors import NotFound
from app.db import transaction

Action = Literal["start", "pause", "resume", "cancel", "retry", "reset"]
ACTIONS: tuple[Action, ...] = ("start", "pause", "resume", "cancel", "retry", "reset")

__all__ = ["ACTIONS", "Action", "act", "amend", "remove"]


def act(
    engine: Engine,
    client_id: UUID,
    batch_id: UUID,
    action: str,
    statuses: Iterable[str] | None = None,
    *,
    honour_schedule: bool = False,
) -> bool:
    """Make the move; whether the caller has to send `advance` now that it is committed.

    `statuses`: which items `retry` runs again, FAILED ones unless said. `honour_schedule`: `start`
    makes an OPEN batch with a time still to come wait for that (SCHEDULED) instead of beginning.
    Raises NotFound (another client's batch, or no such action), WrongState naming the state, and
    Invalid for statuses that cannot be retried.
    """
    with transaction(engine) as connection:
        if action not in ACTIONS:
            raise NotFound(f"There is no action {action!r}; there are {', '.join(ACTIONS)}.")
        batch = lock_batch(connection, client_id, batch_id)
        if action == "start":
            return start(connection, batch, honour_schedule=honour_schedule)
        if action == "pause":
            return pause(connection, batch)
        if action == "resume":
            return resume(connection, batch)
        if action == "cancel":
            return cancel(connection, batch)
        if action == "retry":
            return retry(connection, batch, DEFAULT_RETRIED if statuses is None else statuses)
        return reset(connection, batch)
