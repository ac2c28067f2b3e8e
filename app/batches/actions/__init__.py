"""What a caller may do with a batch that exists, and in which state.

`act` makes a move, `amend` changes what may still change, `remove` deletes an ended batch. Each is
one transaction that locks the batch's row first, as `advance` does, so that the two never see a
batch half moved. What takes longer goes on in steps (app/batches/long_work), and until these are
made nothing else may be done with the batch. Each is audited in its transaction. docs/states.md
draws what is allowed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal
from uuid import UUID

from sqlalchemy import Engine

from app.audit.recording import record
from app.batches.actions.amend import amend
from app.batches.actions.approve_reject import approve, reject
from app.batches.actions.cancel import cancel
from app.batches.actions.lock import Moved, lock_batch
from app.batches.actions.pause_resume import pause, resume
from app.batches.actions.remove import remove
from app.batches.actions.retry_reset import DEFAULT_RETRIED, reset, retry
from app.batches.actions.start import start
from app.batches.admission import admit
from app.batches.long_work import IN_REQUEST, Pace, continue_long_work
from app.clients.quotas import OPEN_BATCHES, PENDING_ITEMS, Quotas
from app.core import lifecycle
from app.core.errors import NotFound
from app.db import transaction

Action = Literal["start", "approve", "reject", "pause", "resume", "cancel", "retry", "reset"]
ACTIONS: tuple[Action, ...] = (
    "start",
    "approve",
    "reject",
    "pause",
    "resume",
    "cancel",
    "retry",
    "reset",
)

# The quotas that an action brings its client nearer to.
_RAISES = {"retry": (OPEN_BATCHES, PENDING_ITEMS), "reset": (OPEN_BATCHES,)}

__all__ = ["ACTIONS", "Action", "act", "amend", "remove"]


def act(
    engine: Engine,
    client_id: UUID,
    batch_id: UUID,
    action: str,
    statuses: Iterable[str] | None = None,
    *,
    honour_schedule: bool = False,
    pace: Pace = IN_REQUEST,
    quotas: Quotas | None = None,
) -> bool:
    """Make the move; whether the caller has to send `advance` now that it is committed.

    `statuses`: which items `retry` runs again, FAILED ones unless said. `honour_schedule`: `start`
    makes an OPEN batch with a time still to come wait for that (SCHEDULED) instead of beginning.
    `pace`: for how long cancel, retry and reset are carried on here; what is left then is the
    batch's `doing`, and a worker's. `quotas`: the caller's, which `retry` and `reset` may be over
    (OverQuota); None where they are not asked. Raises NotFound (another client's batch, or no such
    action), WrongState naming the state, Forbidden where the actor's key may not approve it, and
    Invalid for statuses that cannot be retried.
    """
    if action not in ACTIONS:
        raise NotFound(f"There is no action {action!r}; there are {', '.join(ACTIONS)}.")
    with transaction(engine) as connection:
        # To ask for what is being done already is no error where it is the end; nor is it to cancel
        # all where some of it is being canceled.
        also = (lifecycle.CANCEL, lifecycle.CANCEL_ITEMS) if action == "cancel" else ()
        batch = lock_batch(connection, client_id, batch_id, also_while=also)
        if action == "start":
            moved = Moved(start(connection, batch, honour_schedule=honour_schedule))
        elif action == "approve":
            moved = approve(connection, batch)
        elif action == "reject":
            moved = reject(connection, batch, pace)
        elif action == "pause":
            moved = Moved(pause(connection, batch))
        elif action == "resume":
            moved = Moved(resume(connection, batch))
        elif action == "cancel":
            moved = cancel(connection, batch, pace)
        elif action == "retry":
            chosen = DEFAULT_RETRIED if statuses is None else statuses
            moved = retry(connection, batch, chosen, pace)
        else:
            moved = reset(connection, batch, pace)
        if moved.detail is not None:
            record(
                connection,
                f"batch.{action}",
                client_id=batch.client_id,
                batch_id=batch_id,
                detail=moved.detail,
            )
        if action in _RAISES:
            admit(connection, batch.client_id, quotas, raised=_RAISES[action])
    if moved.more:
        continue_long_work(engine, batch_id, pace)
    return moved.advance or moved.more
