"""The delivery log of a webhook: what was sent, what was answered; and sending it again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, select, text, update

from app.core.errors import NotFound, WrongState
from app.db.models import Webhook, WebhookDelivery
from app.db.models.webhook import PENDING
from app.webhooks.registering import get_webhook

_SHOWN = (
    WebhookDelivery.id,
    WebhookDelivery.batch_id,
    WebhookDelivery.event,
    WebhookDelivery.status,
    WebhookDelivery.attempts,
    WebhookDelivery.created_at,
    WebhookDelivery.tried_at,
    WebhookDelivery.next_at,
    WebhookDelivery.finished_at,
    WebhookDelivery.answer_status,
    WebhookDelivery.answer_body,
    WebhookDelivery.error,
    WebhookDelivery.seconds,
)
KEPT_DAYS = 30
"""So long a delivery stays in the log, where batches are kept for ever."""
# Bounded, so that the sweep that calls this stays short.
_FORGET = text(
    """
    DELETE FROM webhook_deliveries WHERE id IN (
        SELECT id FROM webhook_deliveries
        WHERE finished_at < now() - make_interval(days => :days) LIMIT 1000)
    """
)


@dataclass(frozen=True, slots=True)
class DeliveryEntry:
    """A delivery as the log shows it; the answer (or the error) is that of the last try.

    `answer_body`: its first KiB. `seconds`: how long the last try took.
    """

    id: UUID
    batch_id: UUID | None
    event: str
    status: str
    attempts: int
    created_at: datetime
    tried_at: datetime | None
    next_at: datetime | None
    finished_at: datetime | None
    answer_status: int | None
    answer_body: str | None
    error: str | None
    seconds: float | None


def list_deliveries(
    connection: Connection,
    client_id: UUID,
    webhook_id: UUID,
    *,
    limit: int,
    before: UUID | None = None,
) -> list[DeliveryEntry]:
    """The deliveries of one of the client's webhooks, newest first. Raises NotFound."""
    get_webhook(connection, client_id, webhook_id)
    wanted = select(*_SHOWN).where(WebhookDelivery.webhook_id == webhook_id)
    if before is not None:
        wanted = wanted.where(WebhookDelivery.id < before)
    rows = connection.execute(wanted.order_by(WebhookDelivery.id.desc()).limit(limit))
    return [_entry(row) for row in rows]


def resend(
    connection: Connection, client_id: UUID, webhook_id: UUID, delivery_id: UUID
) -> DeliveryEntry:
    """Send a delivery again, now: the same message, with its backoff from the beginning.

    Raises NotFound, and WrongState where the webhook is disabled. The caller calls a worker once
    this has committed.
    """
    webhook = get_webhook(connection, client_id, webhook_id)
    if webhook.disabled_at is not None:
        raise WrongState(
            f"The webhook is disabled ({webhook.disabled_reason}): nothing is sent to it."
        )
    row = connection.execute(
        update(WebhookDelivery)
        .where(WebhookDelivery.id == delivery_id, WebhookDelivery.webhook_id == webhook_id)
        .values(status=PENDING, step=0, next_at=func.now(), finished_at=None)
        .returning(*_SHOWN)
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no delivery {delivery_id} of this webhook.")
    return _entry(row)


def forget_old(connection: Connection, *, days: int) -> int:
    """Remove deliveries that ended longer ago than this; how many."""
    return connection.execute(_FORGET, {"days": days}).rowcount


def count_pending(connection: Connection) -> tuple[int, float]:
    """How many deliveries are to be sent, and for how many seconds the longest one is overdue."""
    row = connection.execute(
        select(
            func.count(),
            func.coalesce(func.extract("epoch", func.now() - func.min(WebhookDelivery.next_at)), 0),
        )
        .join(Webhook, Webhook.id == WebhookDelivery.webhook_id)
        .where(WebhookDelivery.status == PENDING, Webhook.disabled_at.is_(None))
    ).one()
    return int(row[0]), max(0.0, float(row[1]))


def _entry(row: Any) -> DeliveryEntry:
    return DeliveryEntry(**row._mapping)
