"""Threads: whatever a client has waiting in them, others find one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret
from app.core.settings import Settings
from tests.api.conftest import MASTERLIST
from tests.server.conftest import a_web_process
from tests.server.talking import Talk, get, waiting_for_locks
from tests.support.stack import Stack, wait_for

pytestmark = pytest.mark.slow
_FEW = 40
"""Threads that it has. Four of five are for those who wait for a batch."""


@pytest.fixture(scope="module")
def few(settings: Settings) -> Iterator[Stack]:
    with a_web_process(settings, WEB_THREADS=str(_FEW)) as stack:
        yield stack


def is_answered(stack: Stack, client: ClientSecret, path: str = "/v1/me") -> bool:
    began = time.monotonic()
    with Talk(stack) as talk:
        assert talk.send(*get(client, path)).answer().status == 200
    return time.monotonic() - began < 5


def test_a_chunk_that_looks_like_a_bodys_end(
    few: Stack, client: ClientSecret, other: ClientSecret
) -> None:
    """Each is as slow a body as any other, and waits for a place to send it in."""
    head = (
        "POST /v1/webhooks HTTP/1.1",
        "Host: here",
        f"Authorization: Bearer {client.secret}",
        "Content-Type: application/json",
        "Transfer-Encoding: chunked",
    )
    with ExitStack() as held:
        for _ in range(_FEW * 3 // 2):
            held.enter_context(Talk(few)).send(*head, body=b"100\r\n0\r\n\r\n")
        # Longer than what is small has time to be whole.
        time.sleep(0.5)
        assert is_answered(few, other)


def test_many_small_bodies_with_many_items(
    few: Stack, client: ClientSecret, other: ClientSecret, engine: Engine
) -> None:
    """They wait to be stored, and nothing is stored just now."""
    body = b"{}\n" * 300
    head = (
        f"POST /v1/batches?{MASTERLIST}&start=manual HTTP/1.1",
        "Host: here",
        f"Authorization: Bearer {client.secret}",
        "Content-Type: application/x-ndjson",
        f"Content-Length: {len(body)}",
    )
    with engine.connect() as connection, ExitStack() as held:
        # Whoever writes items waits for this.
        connection.execute(text("LOCK TABLE items IN SHARE MODE"))
        talks = [held.enter_context(Talk(few)) for _ in range(_FEW * 3 // 2)]
        for talk in talks:
            talk.send(*head, body=body)

        wait_for(lambda: waiting_for_locks(engine), within=20, what=few.tail)
        time.sleep(0.5)
        assert is_answered(few, other)
        connection.rollback()
        assert {talk.answer().status for talk in talks} == {202}
