"""Records an event for every webhook that wants it, in the transaction that causes the event."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from app.core.ids import new_id
from app.core.jsontext import dumps, moment
from app.db.statements.webhook_deliveries import INSERT_DELIVERIES
from app.db.statements.webhooks import LOCK_ALL_LISTENING, LOCK_LISTENING

BATCH_FINISHED = "batch.finished"
BATCH_STARTED = "batch.started"
BATCH_AWAITING_APPROVAL = "batch.awaiting_approval"
BATCH_PAUSED = "batch.paused"
BREAKER_OPENED = "operation.breaker_opened"
BREAKER_CLOSED = "operation.breaker_closed"
EVENTS = (
    BATCH_FINISHED,
    BATCH_STARTED,
    BATCH_AWAITING_APPROVAL,
    BATCH_PAUSED,
    BREAKER_OPENED,
    BREAKER_CLOSED,
)


def wants(connection: Connection, client_id: UUID, event: str) -> list[UUID]:
    """The client's webhooks that are to be told of `event`.

    None of them can be removed before the end of the transaction.
    """
    return list(
        connection.execute(LOCK_LISTENING, {"client_id": client_id, "event": event}).scalars()
    )


def wants_of_anybody(connection: Connection, event: str) -> list[UUID]:
    """The same, of all clients: for what happens to the installation, once in a while."""
    return list(connection.execute(LOCK_ALL_LISTENING, {"event": event}).scalars())


def record(
    connection: Connection,
    webhooks: list[UUID],
    event: str,
    *,
    at: datetime,
    data: object,
    batch_id: UUID | None,
) -> None:
    """Write a delivery for each of `webhooks`: sent if, and only if, the transaction commits.

    `at`: when it happened. `data`: what the receiver is told; whatever encodes as JSON.
    `batch_id`: which batch it is about, None where it is about none.
    """
    body = dumps({"type": event, "timestamp": moment(at), "data": data})
    connection.execute(
        INSERT_DELIVERIES,
        {
            "ids": [new_id() for _ in webhooks],
            "webhook_ids": webhooks,
            "batch_id": batch_id,
            "event": event,
            "body": body,
        },
    )
