"""Claims on deliveries: which worker sends what, and what is written when a try is over.

Any number of workers may claim at once. A claim is a token that expires well after the time limit
of a try; if its worker dies, the delivery is due again then. The result of a try is written under
the token, so that a worker that comes back late changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from app.core.ids import new_id
from app.db.statements.webhook_deliveries import CLAIM_DELIVERY, COUNT_CLAIMED, WRITE_ANSWER
from app.db.statements.webhooks import (
    CALL_WEBHOOKS,
    DISABLE_WEBHOOK,
    FORGET_CALL,
    LOCK_WEBHOOK,
)
from app.webhooks.sending import TIME_LIMIT, Answer

LEASE = TIME_LIMIT * 4
AT_ONCE = 4
"""Most tries at once for one webhook, so that a receiver that hangs holds few workers."""
CALL_AGAIN = 60.0
"""Seconds after which a worker is called again for a webhook, if none has finished it."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this worker is to send. `tries`: those before this one, for the backoff."""

    id: UUID
    webhook_id: UUID
    claim: UUID
    event: str
    url: str
    body: str
    secrets: tuple[str, ...]
    tries: int


def claim_next(connection: Connection, webhook_id: UUID) -> Claimed | None:
    """The webhook's delivery that has been due longest, or None if none is to be sent now."""
    webhook = connection.execute(LOCK_WEBHOOK, {"webhook_id": webhook_id}).one_or_none()
    if webhook is None:
        return None
    if connection.execute(COUNT_CLAIMED, {"webhook_id": webhook_id}).scalar_one() >= AT_ONCE:
        return None
    claim = new_id()
    row = connection.execute(
        CLAIM_DELIVERY, {"webhook_id": webhook_id, "claim": claim, "lease": LEASE}
    ).one_or_none()
    if row is None:
        return None
    secrets = tuple(secret for secret in (webhook.secret, webhook.previous) if secret)
    return Claimed(row.id, webhook_id, claim, row.event, webhook.url, row.body, secrets, row.step)


def write_answer(
    connection: Connection, claimed: Claimed, answer: Answer, *, status: str, wait: float | None
) -> bool:
    """Write what came of a try; False where the delivery is no longer this worker's.

    `wait`: seconds until the next try, where `status` is PENDING.
    """
    written = connection.execute(
        WRITE_ANSWER,
        {
            "id": claimed.id,
            "claim": claimed.claim,
            "status": status,
            "wait": wait or 0.0,
            "answer_status": answer.status,
            "answer_body": answer.body,
            "error": answer.error,
            "seconds": answer.seconds,
        },
    )
    return written.rowcount == 1


def disable(connection: Connection, webhook_id: UUID, reason: str) -> None:
    """Send nothing more there, and end what was still to be sent."""
    connection.execute(DISABLE_WEBHOOK, {"webhook_id": webhook_id, "reason": reason})


def call_due(connection: Connection) -> list[UUID]:
    """The webhooks that something is due for and that no worker was called for lately."""
    return list(connection.execute(CALL_WEBHOOKS, {"call_again": CALL_AGAIN}).scalars())


def nothing_left(connection: Connection, webhook_id: UUID) -> None:
    """Note that the called worker is done, so that one is called when something is due again."""
    connection.execute(FORGET_CALL, {"webhook_id": webhook_id})
