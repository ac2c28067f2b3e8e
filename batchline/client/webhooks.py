"""Webhooks at their receiver: whether a message is from Batchline, and what it says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from batchline.client.errors import WebhookRefused


class Headers(Protocol):
    """A request's headers, as any framework has them."""

    def items(self) -> Iterable[tuple[str, str]]:
        """Names, in whatever case, and values."""


def verify_webhook(secret: str, headers: Headers, body: bytes | str) -> dict[str, Any]:
    """The event that a webhook's request brings, once its signature is found good.

    `secret`: the webhook's, `whsec_…`. `headers`: of the request; `body`: to the byte, as it came.
    An event has `type`, `timestamp` and `data`; a message may come more than once, with the same
    header `webhook-id`. Raises WebhookRefused for whatever is wrong with it: answer 401, and
    believe nothing of it. A message older or newer than five minutes is refused, too.
    """
    from standardwebhooks.webhooks import Webhook

    try:
        verifier = Webhook(secret)
    except Exception as error:
        raise ValueError("This is no secret of a webhook.") from error
    try:
        event = verifier.verify(body, dict(headers.items()))
    except Exception as error:  # what was sent is not ours to trust, however it is wrong
        raise WebhookRefused(f"The message cannot be verified: {error}") from error
    if not isinstance(event, dict):
        raise WebhookRefused("The message is no event.")
    return event
