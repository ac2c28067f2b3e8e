"""The delivery log of a webhook: what was sent, what was answered; and sending it again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, TextClause

from app.audit.recording import record
from app.core.errors import NotFound, WrongState
from app.db.statements.webhook_deliveries import (
    COUNT_PENDING,
    DELETE_OLD,
    LIST_DELIVERIES,
    RESEND_DELIVERY,
)
from app.webhooks.registering import get_webhook

KEPT_DAYS = 30
"""Days that a delivery stays in the log if batches are kept for ever."""
FORGET_AT_ONCE = 5000


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
    page = {"webhook_id": webhook_id, "before": before, "limit": limit}
    return list(_entries(connection, LIST_DELIVERIES, page))


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
    named = {"id": delivery_id, "webhook_id": webhook_id}
    for entry in list(_entries(connection, RESEND_DELIVERY, named)):
        record(
            connection,
            "webhook.resend",
            client_id=client_id,
            batch_id=entry.batch_id,
            detail={"webhookId": webhook_id, "deliveryId": delivery_id},
        )
        return entry
    raise NotFound(f"There is no delivery {delivery_id} of this webhook.")


def forget_old(connection: Connection, *, days: int) -> int:
    """Remove deliveries that ended longer ago; returns how many, at most FORGET_AT_ONCE."""
    asked = {"days": days, "at_once": FORGET_AT_ONCE}
    return connection.execute(DELETE_OLD, asked).rowcount


def count_pending(connection: Connection) -> tuple[int, float]:
    """How many deliveries are to be sent, and for how many seconds the longest one is overdue."""
    row = connection.execute(COUNT_PENDING).one()
    return int(row.number), max(0.0, float(row.overdue))


def _entries(
    connection: Connection, statement: TextClause, named: dict[str, Any]
) -> Iterator[DeliveryEntry]:
    """What a statement that shows deliveries gives."""
    for row in connection.execute(statement, named).mappings():
        yield DeliveryEntry(**row)
