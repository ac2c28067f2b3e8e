"""An event, written down for every webhook that wants it, in the transaction that it happens in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, any_, insert, literal, select

from app.core.ids import new_id
from app.core.jsontext import dumps, moment
from app.db.models import Webhook, WebhookDelivery

BATCH_FINISHED = "batch.finished"
EVENTS = (BATCH_FINISHED,)


def wants(connection: Connection, client_id: UUID, event: str) -> list[UUID]:
    """The client's webhooks that are to be told of `event`.

    None of them can be removed before the end of the transaction.
    """
    return list(
        connection.execute(
            select(Webhook.id)
            .where(
                Webhook.client_id == client_id,
                Webhook.disabled_at.is_(None),
                literal(event) == any_(Webhook.events),
            )
            .with_for_update(key_share=True, read=True)
        ).scalars()
    )


def record(
    connection: Connection,
    webhooks: list[UUID],
    event: str,
    *,
    at: datetime,
    data: Mapping[str, Any],
    batch_id: UUID,
) -> None:
    """Write a delivery for each of `webhooks`: sent if, and only if, the transaction commits.

    `at`: when it happened. `data`: what the receiver is told, JSON values.
    """
    body = dumps({"type": event, "timestamp": moment(at), "data": data})
    connection.execute(
        insert(WebhookDelivery),
        [
            {
                "id": new_id(),
                "webhook_id": webhook_id,
                "batch_id": batch_id,
                "event": event,
                "body": body,
            }
            for webhook_id in webhooks
        ],
    )
