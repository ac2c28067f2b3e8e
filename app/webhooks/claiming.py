"""Who sends what: claims on deliveries, and what is written when a try is over.

Any number of workers may look at once. A claim is a token with an end, well after the time limit
of a try; should its worker die, the delivery is due again then. What is written of a try names
the token, so that a worker that comes back late changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, text

from app.core.ids import new_id
from app.webhooks.sending import TIME_LIMIT, Answer

LEASE = TIME_LIMIT * 4
AT_ONCE = 4
"""Tries at once for one webhook: a receiver that hangs holds no more workers than this."""
CALL_AGAIN = 60.0
"""Seconds after which a worker that was called and is not heard of is called again."""

_DUE = """
    d.status = 'PENDING' AND d.next_at <= now()
    AND (d.claimed_until IS NULL OR d.claimed_until <= now())
"""
# The webhook's row is locked for the moment of the claim, so that tries at once are counted right.
_LOCK = text(
    """
    SELECT w.url, w.secret,
           CASE WHEN w.previous_until > now() THEN w.previous_secret END AS previous
    FROM webhooks w WHERE w.id = :webhook_id AND w.disabled_at IS NULL FOR NO KEY UPDATE
    """
)
# A statement of its own: one that waited for the lock would still count as things stood before.
_BUSY = text(
    """
    SELECT count(*) FROM webhook_deliveries d
    WHERE d.webhook_id = :webhook_id AND d.status = 'PENDING' AND d.claimed_until > now()
    """
)
_CLAIM = text(
    f"""
    UPDATE webhook_deliveries SET claim = :claim,
        claimed_until = now() + make_interval(secs => :lease)
    WHERE id = (SELECT d.id FROM webhook_deliveries d
                WHERE d.webhook_id = :webhook_id AND {_DUE}
                ORDER BY d.next_at, d.id LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING id, event, body, step
    """
)
_WRITE = text(
    """
    UPDATE webhook_deliveries SET status = :status, attempts = attempts + 1, step = step + 1,
        next_at = CASE WHEN :status = 'PENDING' THEN now() + make_interval(secs => :wait) END,
        finished_at = CASE WHEN :status <> 'PENDING' THEN now() END,
        claim = NULL, claimed_until = NULL, tried_at = now(), answer_status = :answer_status,
        answer_body = :answer_body, error = :error, seconds = :seconds
    WHERE id = :id AND claim = :claim
    """
)
_DISABLE = text(
    """
    WITH disabled AS (
        UPDATE webhooks SET disabled_at = now(), disabled_reason = :reason
        WHERE id = :webhook_id AND disabled_at IS NULL
    )
    UPDATE webhook_deliveries SET status = 'FAILED', next_at = NULL, finished_at = now(),
        claim = NULL, claimed_until = NULL, error = 'the webhook is disabled'
    WHERE webhook_id = :webhook_id AND status = 'PENDING'
    """
)
# One look at the backlog; webhooks that a worker was called for lately are left to it.
_CALL = text(
    f"""
    UPDATE webhooks SET called_at = now()
    WHERE disabled_at IS NULL
      AND (called_at IS NULL OR called_at < now() - make_interval(secs => :call_again))
      AND id IN (SELECT d.webhook_id FROM webhook_deliveries d WHERE {_DUE})
    RETURNING id
    """
)
_CALLED = text(
    "UPDATE webhooks SET called_at = NULL WHERE id = :webhook_id AND called_at IS NOT NULL"
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that is this worker's to send. `tries`: those before this one, for the backoff."""

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
    webhook = connection.execute(_LOCK, {"webhook_id": webhook_id}).one_or_none()
    if webhook is None:
        return None
    if connection.execute(_BUSY, {"webhook_id": webhook_id}).scalar_one() >= AT_ONCE:
        return None
    claim = new_id()
    row = connection.execute(
        _CLAIM, {"webhook_id": webhook_id, "claim": claim, "lease": LEASE}
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
        _WRITE,
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
    connection.execute(_DISABLE, {"webhook_id": webhook_id, "reason": reason})


def call_due(connection: Connection) -> list[UUID]:
    """The webhooks that something is due for and that no worker was called for lately."""
    return list(connection.execute(_CALL, {"call_again": CALL_AGAIN}).scalars())


def nothing_left(connection: Connection, webhook_id: UUID) -> None:
    """The called worker is done: call one again as soon as something is due."""
    connection.execute(_CALLED, {"webhook_id": webhook_id})
