"""One try at a delivery that this process has claimed: sent, and what came of it written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import structlog
from sqlalchemy import Engine

from app.db import transaction
from app.db.models.webhook import DELIVERED, FAILED, PENDING
from app.webhooks.addresses import Policy
from app.webhooks.claiming import Claimed, disable, write_answer
from app.webhooks.schedule import next_wait
from app.webhooks.sending import Answer, send
from app.webhooks.signing import message_id, signed_headers

log = structlog.get_logger(__name__)

GONE = 410


def attempt(
    engine: Engine,
    claimed: Claimed,
    *,
    allowed: Policy,
    noted: Callable[[str], None] = lambda _: None,
) -> None:
    """Send what was claimed, and write what came of it.

    `allowed`: where it may go. `noted`: called with the outcome:
    "delivered", "retried", "failed" or "gone". A connection to the database is held only while that
    is written. Raises Unavailable where it could not be; then the delivery is sent again once its
    claim is void.
    """
    outcome = _conclude(engine, claimed, _try(claimed, allowed))
    if outcome is not None:
        noted(outcome)


def _try(claimed: Claimed, allowed: Policy) -> Answer:
    headers = signed_headers(
        message_id(claimed.id), datetime.now(UTC), claimed.body, claimed.secrets
    )
    return send(claimed.url, claimed.body, headers, allowed=allowed, whose=claimed.client_id)


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
        error=answer.detail or answer.error,
        seconds=round(answer.seconds, 3),
    )
    return outcome if written else None
