"""Secrets, and signatures by Standard Webhooks (https://www.standardwebhooks.com)."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from standardwebhooks.webhooks import Webhook

PREFIX = "whsec_"
_SECRET_BYTES = 24


def new_secret() -> str:
    """A new secret, as the receiver is given it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def message_id(delivery_id: UUID) -> str:
    """`webhook-id`: the same for every try of a delivery, so that a repeated one is known."""
    return f"msg_{delivery_id.hex}"


def signed_headers(
    message: str, timestamp: datetime, body: str, secrets_: Iterable[str]
) -> dict[str, str]:
    """The three headers of Standard Webhooks, with a signature by each of the secrets.

    `timestamp`: aware; of this try, since receivers refuse what is old.
    """
    signatures = [Webhook(secret).sign(message, timestamp, body) for secret in secrets_]
    return {
        "webhook-id": message,
        "webhook-timestamp": str(int(timestamp.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
