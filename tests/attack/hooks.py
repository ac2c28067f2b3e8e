"""Webhooks of the attacker's, and what they are told of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import httpx

from tests.attack.caller import BATCH


@contextmanager
def webhooks(http: httpx.Client, urls: Iterable[str]) -> Iterator[list[str]]:
    """A webhook for each of `urls`, for as long as the block lasts; their ids, in that order.

    What another attack has left of them goes: a client may have but so many.
    """
    for left in http.get("/v1/webhooks").raise_for_status().json()["data"]:
        http.delete(f"/v1/webhooks/{left['id']}").raise_for_status()
    made: list[str] = []
    try:
        for url in urls:
            answer = http.post("/v1/webhooks", json={"url": url})
            assert answer.status_code == 201, f"{url}: {answer.text}"
            made.append(answer.json()["id"])
        yield made
    finally:
        for webhook_id in made:
            http.delete(f"/v1/webhooks/{webhook_id}").raise_for_status()


def submit(http: httpx.Client) -> str:
    """Submit a batch that runs, at whose end each webhook is sent something; its id."""
    answer = http.post("/v1/batches", json={**BATCH, "start": "now"})
    return str(answer.raise_for_status().json()["id"])
