"""Sending what is due for one webhook: the work of one task."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import structlog
from sqlalchemy import Engine

from app.db import transaction
from app.db.models.webhook import DELIVERED, FAILED, PENDING
from app.webhooks.claiming import Claimed, claim_next, disable, nothing_left, write_answer
from app.webhooks.network import Check
from app.webhooks.schedule import next_wait
from app.webhooks.sending import Answer, send
from app.webhooks.signing import message_id, signed_headers

log = structlog.get_logger(__name__)

GONE = 410
# Then the task ends and another one is sent, so that a busy webhook does not keep a worker.
_MOST_SECONDS = 60.0


def deliver(
    engine: Engine,
    webhook_id: UUID,
    *,
    allowed: Check,
    stopping: Callable[[], bool] = lambda: False,
    noted: Callable[[str], None] = lambda _: None,
) -> int:
    """Send the webhook's due deliveries, one after another, and write what came of each.

    Safe to run any number of times at once. `allowed`: which IP addresses may be connected to.
    `stopping`: asked between deliveries. `noted`: called with the outcome of every try:
    "delivered", "retried", "failed" or "gone". How many tries were made.
    """
    begun = time.monotonic()
    tries = 0
    while not stopping() and time.monotonic() - begun < _MOST_SECONDS:
        with transaction(engine) as connection:
            claimed = claim_next(connection, webhook_id)
            if claimed is None:
                break
        answer = _try(claimed, allowed)
        outcome = _conclude(engine, claimed, answer)
        if outcome is not None:
            noted(outcome)
        tries += 1
    with transaction(engine) as connection:
        nothing_left(connection, webhook_id)
    return tries


def _try(claimed: Claimed, allowed: Check) -> Answer:
    headers = signed_headers(
        message_id(claimed.id), datetime.now(UTC), claimed.body, claimed.secrets
    )
    return send(claimed.url, claimed.body, headers, allowed=allowed)


def _conclude(engine: Engine, claimed: Claimed, answer: Answer) -> str | None:
    """Write the answer; the outcome's name, or None where the claim was lost."""
    wait: float | None = None
    if answer.taken:
        status, outcome = DELIVERED, "delivered"
    elif answer.status == GONE:
        status, outcome = FAILED, "gone"
    else:
        wait = next_wait(claimed.tries + 1, retry_after=answer.retry_after)
        status, outcome = (FAILED, "failed") if wait is None else (PENDING, "retried")
    with transaction(engine) as connection:
        written = write_answer(connection, claimed, answer, status=status, wait=wait)
        if written and outcome == "gone":
            disable(connection, claimed.webhook_id, "the receiver answered 410 Gone")
    say = log.info if outcome == "delivered" else log.warning
    say(
        "webhook.tried",
        webhook=str(claimed.webhook_id),
        delivery=str(claimed.id),
        outcome=outcome if written else "claim lost",
        status=answer.status,
        error=answer.error,
        seconds=round(answer.seconds, 3),
    )
    return outcome if written else None
