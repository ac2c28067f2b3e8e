"""A webhook is tried: sent an event that tells of nothing, whatever it listens to."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Connection

from app.audit.recording import record as audit
from app.core.errors import WrongState
from app.webhooks.recording import record
from app.webhooks.registering import lock_webhook

TEST = "webhook.test"
"""The event's type. No webhook can ask for it, so nobody is sent it unasked."""


def send_test(connection: Connection, client_id: UUID, webhook_id: UUID) -> None:
    """Write a delivery of `webhook.test` for the client's webhook, which is in its log as any is.

    Raises NotFound, and WrongState where the webhook is disabled. The caller calls a worker once
    this has committed.
    """
    webhook = lock_webhook(connection, client_id, webhook_id)
    if webhook.disabled_at is not None:
        raise WrongState(
            f"The webhook is disabled ({webhook.disabled_reason}): nothing is sent to it."
        )
    data = {"webhookId": webhook_id}
    record(connection, [webhook_id], TEST, at=datetime.now(UTC), data=data, batch_id=None)
    audit(connection, "webhook.test", client_id=client_id, detail=data)
