"""Deliveries by real workers: hanging receivers, and items that hang, hold up nobody else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret, create_client
from app.webhooks.claiming import MOST_OF_CLIENT
from tests.support.receiver import Receiver, Reply, receiving
from tests.support.stack import Stack, wait_for
from tests.support.telling import told_within

WEBHOOKS = 50
# Seconds that a hanging receiver takes; and an item, longer than all its threads are looked at.
HANGS = 20.0
SOON = 2.0
# The slow worker's threads, of which one client has seven of eight at most.
THREADS = 32


@pytest.fixture
def other(engine: Engine) -> ClientSecret:
    """The client that must not be held up."""
    return create_client(engine, f"not held up {uuid4()}")


def submit(http: httpx.Client, operation: str, **item: Any) -> str:
    answer = http.post("/v1/batches", json={"operation": operation, "items": [item]})
    batch_id: str = answer.raise_for_status().json()["id"]
    return batch_id


@contextmanager
def hanging_webhooks(stack: Stack, client: ClientSecret) -> Iterator[Receiver]:
    """Fifty webhooks of the client's, whose receiver does not answer; each has something due."""
    with receiving(lambda _: Reply(wait=HANGS)) as receiver, stack.http(client) as http:
        made = [
            http.post("/v1/webhooks", json={"url": receiver.url}).raise_for_status().json()["id"]
            for _ in range(WEBHOOKS)
        ]
        try:
            submit(http, "test.bulk")
            receiver.wait_for(MOST_OF_CLIENT)
            yield receiver
        finally:
            for webhook_id in made:
                http.delete(f"/v1/webhooks/{webhook_id}").raise_for_status()


def test_a_client_whose_receivers_hang_holds_no_other_up(
    stack: Stack, client: ClientSecret, other: ClientSecret
) -> None:
    with hanging_webhooks(stack, client) as hanging:
        assert told_within(stack, other) < SOON
        assert hanging.most_at_once == MOST_OF_CLIENT


def test_hanging_receivers_take_no_thread_from_items(
    stack: Stack, client: ClientSecret, other: ClientSecret
) -> None:
    with hanging_webhooks(stack, client), stack.http(other) as http:
        begun = time.monotonic()
        batch_id = submit(http, "test.slow")
        stack.finished(http, batch_id)
        assert time.monotonic() - begun < SOON


@pytest.mark.whole
def test_items_that_hang_take_no_thread_from_deliveries(
    stack: Stack, engine: Engine, client: ClientSecret, other: ClientSecret
) -> None:
    """All threads of the slow worker have an item that does not end soon."""
    second = create_client(engine, f"also hangs {uuid4()}")
    with stack.http(client) as http, stack.http(second) as http2:
        items = [{"seconds": 8, "key": str(number)} for number in range(THREADS)]
        batches = [
            (one, one.post("/v1/batches", json={"operation": "test.slow", "items": items}))
            for one in (http, http2)
        ]

        def running() -> int:
            return sum(
                one.get(f"/v1/batches/{batch.json()['id']}").json()["summary"]["running"]
                for one, batch in batches
            )

        wait_for(lambda: running() >= THREADS, within=8, what=lambda: f"{running()} run")
        assert told_within(stack, other) < SOON
        for one, batch in batches:
            one.post(f"/v1/batches/{batch.json()['id']}/cancel").raise_for_status()
            stack.finished(one, batch.json()["id"])
