"""Telling a client's webhooks what happens to a batch, in the transaction that it happens in."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from app.batches.queries import find_batch
from app.batches.serializers import batch_body
from app.db import after_commit
from app.db.statements.batches import BatchRow
from app.events.listeners import listener
from app.webhooks.recording import BATCH_PAUSED, record, wants


def tell_webhooks(
    connection: Connection, client_id: UUID, batch_id: UUID, event: str, at: datetime | None = None
) -> list[UUID]:
    """Write a delivery, with the batch as it is, for each webhook that wants `event`; their ids.

    `at`: when it happened; None: when the batch ended. Workers send them after the commit, of which
    the caller reports. One statement where nobody wants it.
    """
    webhooks = wants(connection, client_id, event)
    if not webhooks:
        return []
    batch = find_batch(connection, client_id, batch_id)
    moment = at or batch.finished_at
    assert moment is not None  # noqa: S101 (it has just been set)
    record(connection, webhooks, event, at=moment, data=batch_body(batch), batch_id=batch_id)
    return webhooks


def tell_of_pause(connection: Connection, batch: BatchRow, at: datetime) -> None:
    """The batch, whose row is locked, is PAUSED since then: whoever wants to know is told.

    One statement where nobody does.
    """
    if tell_webhooks(connection, batch.client_id, batch.id, BATCH_PAUSED, at=at):
        after_commit(connection, lambda: listener().delivery_due())
