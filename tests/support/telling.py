"""How long a client waits until its webhook is told that a batch has ended."""

from __future__ import annotations

import time

from app.clients.credentials import ClientSecret
from tests.support.receiver import receiving
from tests.support.stack import Stack

_ITEM = {"asin": "A1", "countryCode": "US", "percACoS": 2.7}


def told_within(stack: Stack, client: ClientSecret) -> float:
    """Seconds from the end of a batch of the client's until its receiver is told.

    On 127.0.0.1, where the stack's webhooks have to be allowed to go.
    """
    with receiving() as receiver, stack.http(client) as http:
        hook = http.post("/v1/webhooks", json={"url": receiver.url}).raise_for_status().json()
        try:
            batch = http.post(
                "/v1/batches", json={"operation": "catalog.masterlist", "items": [_ITEM]}
            )
            stack.finished(http, batch.raise_for_status().json()["id"])
            ended = time.monotonic()
            receiver.wait_for(1)
            return time.monotonic() - ended
        finally:
            http.delete(f"/v1/webhooks/{hook['id']}").raise_for_status()
