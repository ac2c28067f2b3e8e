"""A client's webhooks: made, shown, given a new secret."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
from sqlalchemy import Connection, TextClause

from app.audit.recording import record
from app.clients.quotas import NO_QUOTAS, WEBHOOKS, Quotas, lock_quotas
from app.core.errors import FieldError, Invalid, NotFound, OverQuota
from app.core.ids import new_id
from app.db.statements.webhooks import (
    COUNT_WEBHOOKS,
    FIND_WEBHOOK,
    INSERT_WEBHOOK,
    LIST_WEBHOOKS,
    LOCK_WEBHOOK,
    ROTATE_SECRET,
)
from app.webhooks.addresses import Policy
from app.webhooks.recording import EVENTS
from app.webhooks.signing import new_secret

LONGEST_URL = 2048
ROTATION_HOURS = 24
"""How long the old secret signs beside the new one."""


@dataclass(frozen=True, slots=True)
class WebhookEntry:
    """A webhook as its client sees it. `previous_until`: an older secret signs until then."""

    id: UUID
    url: str
    events: tuple[str, ...]
    created_at: datetime
    disabled_at: datetime | None
    disabled_reason: str | None
    previous_until: datetime | None


def create_webhook(
    connection: Connection,
    client_id: UUID,
    url: str,
    events: Sequence[str],
    *,
    policy: Policy,
    quotas: Quotas = NO_QUOTAS,
) -> tuple[WebhookEntry, str]:
    """Register `url` for `events`; the webhook and its secret, which is told only here.

    `policy`: where webhooks may go. `quotas`: the caller's. Raises Invalid for an address that
    cannot be used and for an unknown event, and OverQuota where the client has as many as it may.
    Its row is locked until the end of the transaction, so that of two at once one sees the other.
    """
    errors = [FieldError("/url", why)] if (why := _at_fault(url, policy)) else []
    errors += [
        FieldError(f"/events/{place}", f"Unknown event {event!r}; there is {', '.join(EVENTS)}.")
        for place, event in enumerate(events)
        if event not in EVENTS
    ]
    if not events:
        errors.append(FieldError("/events", "Must name at least one event."))
    if errors:
        raise Invalid(f"{errors[0].pointer.lstrip('/')}: {errors[0].message}", errors=errors)
    most = lock_quotas(connection, client_id, quotas)[WEBHOOKS]
    if most is not None:
        existing = connection.execute(COUNT_WEBHOOKS, {"client_id": client_id}).scalar_one()
        if existing >= most:
            raise OverQuota(
                f"The quota {WEBHOOKS} is {most}, and there are {existing}; remove one first.",
                quota=WEBHOOKS,
                retry_after=60,
            )
    secret = new_secret()
    made = _entries(
        connection,
        INSERT_WEBHOOK,
        {
            "id": new_id(),
            "client_id": client_id,
            "url": url,
            "events": list(dict.fromkeys(events)),
            "secret": secret,
        },
    )
    _audit(connection, "webhook.create", client_id, made[0].id, url=url, events=made[0].events)
    return made[0], secret


def list_webhooks(
    connection: Connection, client_id: UUID, *, limit: int, before: UUID | None = None
) -> list[WebhookEntry]:
    """The client's webhooks, newest first, at most `limit`; those made before `before`."""
    page = {"client_id": client_id, "before": before, "limit": limit}
    return _entries(connection, LIST_WEBHOOKS, page)


def get_webhook(connection: Connection, client_id: UUID, webhook_id: UUID) -> WebhookEntry:
    """One of the client's webhooks. Raises NotFound."""
    found = _entries(connection, FIND_WEBHOOK, {"id": webhook_id, "client_id": client_id})
    if not found:
        raise _unknown(webhook_id)
    return found[0]


def lock_webhook(connection: Connection, client_id: UUID, webhook_id: UUID) -> WebhookEntry:
    """The same, which is not removed before the end of the transaction. Raises NotFound."""
    found = _entries(connection, LOCK_WEBHOOK, {"id": webhook_id, "client_id": client_id})
    if not found:
        raise _unknown(webhook_id)
    return found[0]


def rotate_secret(
    connection: Connection, client_id: UUID, webhook_id: UUID
) -> tuple[WebhookEntry, str]:
    """Give the webhook a new secret; the one before signs beside it for a day. Raises NotFound."""
    secret = new_secret()
    rotated = _entries(
        connection,
        ROTATE_SECRET,
        {"id": webhook_id, "client_id": client_id, "secret": secret, "hours": ROTATION_HOURS},
    )
    if not rotated:
        raise _unknown(webhook_id)
    _audit(connection, "webhook.rotate", client_id, webhook_id)
    return rotated[0], secret


def _entries(
    connection: Connection, statement: TextClause, named: dict[str, Any]
) -> list[WebhookEntry]:
    """What a statement that shows webhooks gives."""
    return [
        WebhookEntry(
            row.id,
            row.url,
            tuple(row.events),
            row.created_at,
            row.disabled_at,
            row.disabled_reason,
            row.previous_until,
        )
        for row in connection.execute(statement, named)
    ]


def _audit(
    connection: Connection,
    action: str,
    client_id: UUID,
    webhook_id: UUID,
    *,
    url: str | None = None,
    events: Sequence[str] = (),
) -> None:
    """Write it down. Of an address only the host, since paths and queries may hold secrets."""
    detail: dict[str, Any] = {"webhookId": webhook_id}
    if url is not None:
        detail |= {"host": urlsplit(url).hostname, "events": events}
    record(connection, action, client_id=client_id, detail=detail)


def _unknown(webhook_id: UUID) -> NotFound:
    return NotFound(f"There is no webhook {webhook_id}.")


def _at_fault(url: str, policy: Policy) -> str | None:
    """What is wrong with the address, if anything can be told without resolving it."""
    if len(url) > LONGEST_URL:
        return f"Must not be longer than {LONGEST_URL} characters."
    if not url.isprintable() or " " in url:
        return "Must not hold spaces or control characters."
    try:
        parts = urlsplit(url)
        port = parts.port
        host = httpx.URL(url).raw_host.decode()
    except (httpx.InvalidURL, ValueError) as error:
        return f"Not a usable URL: {error}"
    if parts.scheme not in ("http", "https") or not host:
        return "Must be an http:// or https:// URL with a host."
    if parts.username is not None or parts.password is not None:
        return "Must not hold credentials."
    if parts.fragment:
        return "Must not have a fragment."
    if port == 0:
        return "Not a usable port."
    # What a name stands for is judged at every connection.
    return policy.fault(parts.scheme, host)
