"""Telling webhooks that a breaker has opened or closed, in the transaction that it happens in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from app.db import after_commit
from app.db.statements.breakers import BreakerRow
from app.events.listeners import listener
from app.webhooks.recording import record, wants_of_anybody


def tell(connection: Connection, event: str, breaker: BreakerRow, at: datetime) -> None:
    """Write a delivery for every webhook, of whichever client, that wants `event`.

    Operations are nobody's own, so whoever asks is told: which one it was, and nothing of whose
    items failed.
    """
    webhooks = wants_of_anybody(connection, event)
    if not webhooks:
        return
    data = {"operation": breaker.operation, "base": breaker.base or None}
    record(connection, webhooks, event, at=at, data=data, batch_id=None)
    after_commit(connection, lambda: listener().delivery_due())
