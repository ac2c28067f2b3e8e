"""Batches that somebody else has to approve before they run.

Every item is looked at first ("checking"), then the batch is AWAITING. Who put something into it
may not approve it: those keys stand in its row (`contributors`), so that they are known as long as
it is there, whatever becomes of their secrets and of the audit.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from app.batches.telling import tell_webhooks
from app.core import lifecycle
from app.core.actor import current_actor
from app.db import after_commit
from app.db.statements.approvals import (
    ADD_CONTRIBUTOR,
    AWAIT_APPROVAL_OF_BATCH,
    CHECK_BATCH,
    AwaitingBatch,
)
from app.db.statements.batches import BatchRow
from app.db.statements.rows import row_of
from app.events.listeners import listener
from app.webhooks.recording import BATCH_AWAITING_APPROVAL


def first_values(*, approval: bool, begins: bool) -> dict[str, Any]:
    """The columns of a new batch that are about this. `begins`: it is not OPEN."""
    if not approval:
        return {"approval": None, "contributors": None}
    key_id = current_actor().key_id
    return {
        "approval": lifecycle.APPROVAL_CHECKING if begins else lifecycle.APPROVAL_NEEDED,
        "contributors": [] if key_id is None else [key_id],
    }


def is_needed(batch: BatchRow) -> bool:
    """Whether nobody has approved of a batch that needs it."""
    return batch.approval not in (None, lifecycle.APPROVAL_GIVEN)


def check_first(connection: Connection, batch: BatchRow, scheduled_at: datetime | None) -> None:
    """Have the items of an OPEN batch looked at, after which it is AWAITING."""
    connection.execute(CHECK_BATCH, {"batch_id": batch.id, "scheduled_at": scheduled_at})


def note_contributor(connection: Connection, batch: BatchRow) -> None:
    """Whoever acts has put something into the batch, or changed it. For others it costs nothing.

    An ended batch has to be approved again before it is retried.
    """
    if batch.approval is not None:
        this = {"batch_id": batch.id, "key_id": current_actor().key_id}
        connection.execute(ADD_CONTRIBUTOR, this)


def await_approval(connection: Connection, batch: BatchRow, next_index: int) -> None:
    """All items of the batch, whose row is locked, have been looked at: it is AWAITING.

    `next_index`: where the first pass will begin.
    """
    this = {"batch_id": batch.id, "next_index": next_index}
    waits = row_of(AwaitingBatch, connection.execute(AWAIT_APPROVAL_OF_BATCH, this))
    assert waits is not None  # noqa: S101 (it is locked)
    told = tell_webhooks(
        connection, waits.client_id, batch.id, BATCH_AWAITING_APPROVAL, at=waits.at
    )
    after_commit(connection, lambda: listener().progressed(batch.id))
    if told:
        after_commit(connection, lambda: listener().delivery_due())
