"""Claims on deliveries: which process sends what, and what is written when a try is over.

A claim is a token that expires well after the time limit of a try; if its process dies, the
delivery is due again then. The result of a try is written under the token, so that a process that
comes back late changes nothing.

Claims are made by one process at a time (an advisory lock, held for one statement), so what a
client has under way is counted right over all of them. Each time whoever has least under way comes
first, so no client's receivers, however many of them hang, keep another's deliveries from going out
while there is a thread to send them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, Engine

from app.core.ids import new_id
from app.db import each_by_itself
from app.db.statements.webhook_claims import (
    CLAIM_DELIVERIES,
    END_REVOKED,
    IS_ANY_DUE,
    RELEASE_DELIVERIES,
    WRITE_ANSWER,
)
from app.db.statements.webhooks import CALL_WEBHOOKS, DISABLE_WEBHOOK, FORGET_CALL
from app.webhooks.sending import TIME_LIMIT, Answer

LEASE = TIME_LIMIT * 2
"""Seconds after which a claim is void. What its process had under way counts until then."""
MOST_OF_CLIENT = 4
"""Most tries under way for one client, over all processes and all of its webhooks."""
CALL_AGAIN = 60.0
"""Seconds after which a worker is called again for a webhook, if none has finished it."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this process is to send. `tries`: those before this one, for the backoff."""

    id: UUID
    webhook_id: UUID
    client_id: UUID
    claim: UUID
    event: str
    url: str
    body: str
    secrets: tuple[str, ...]
    tries: int


def claim_due(engine: Engine, most: int, *, of_client: int = MOST_OF_CLIENT) -> list[Claimed]:
    """Claim up to `most` deliveries that are due, each client's longest due first.

    `of_client`: most that a client may have under way with them, those of other processes counted.
    Nothing of a revoked client and nothing for a disabled webhook is claimed. One statement that
    commits by itself: whoever is stopped in the middle of it holds up nobody.
    """
    claim = new_id()
    asked = {"claim": claim, "lease": LEASE, "most": most, "of_client": of_client}
    with each_by_itself(engine) as connection:
        rows = connection.execute(CLAIM_DELIVERIES, asked).all()
    return [
        Claimed(
            id=row.id,
            webhook_id=row.webhook_id,
            client_id=row.client_id,
            claim=claim,
            event=row.event,
            url=row.url,
            body=row.body,
            secrets=tuple(secret for secret in (row.secret, row.previous) if secret),
            tries=row.step,
        )
        for row in rows
    ]


def write_answer(
    connection: Connection, claimed: Claimed, answer: Answer, *, status: str, wait: float | None
) -> bool:
    """Write what came of a try; False where the delivery is no longer this process's.

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


def release(connection: Connection, claimed: Collection[Claimed]) -> None:
    """Give back what this process will not finish: it is due for others at once."""
    connection.execute(
        RELEASE_DELIVERIES,
        {"ids": [one.id for one in claimed], "claims": [one.claim for one in claimed]},
    )


def disable(connection: Connection, webhook_id: UUID, reason: str) -> None:
    """Send nothing more there, and end what was still to be sent."""
    connection.execute(DISABLE_WEBHOOK, {"webhook_id": webhook_id, "reason": reason})


def is_any_due(connection: Connection) -> bool:
    """Whether there is anything that `claim_due` might claim."""
    return bool(connection.execute(IS_ANY_DUE).scalar_one())


def end_revoked(connection: Connection) -> int:
    """End, as FAILED, what is still to be sent for revoked clients; how many."""
    return connection.execute(END_REVOKED).rowcount


def call_due(connection: Connection) -> list[UUID]:
    """The webhooks that something is due for and that no worker was called for lately."""
    return list(connection.execute(CALL_WEBHOOKS, {"call_again": CALL_AGAIN}).scalars())


def nothing_left(connection: Connection, webhook_id: UUID) -> None:
    """Note that the called worker is done, so that one is called when something is due again."""
    connection.execute(FORGET_CALL, {"webhook_id": webhook_id})
