"""What one client takes, and what is left for the others."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret, create_client
from app.clients.quotas import STREAMS_AT_ONCE, default_quotas, set_quotas
from app.core.settings import Settings
from app.server import bounds
from tests.api.conftest import ITEM
from tests.server.talking import Talk
from tests.support.stack import Stack, wait_for

OPEN = {"operation": "catalog.masterlist", "start": "manual", "items": [ITEM]}
LINES = b'{"asin":"A1","countryCode":"US","percACoS":2.7}\n' * 1000
UPLOAD = "/v1/batches?operation=catalog.masterlist&start=manual"


@pytest.fixture
def other(engine: Engine) -> ClientSecret:
    return create_client(engine, f"other {time.monotonic_ns()}")


def get(client: ClientSecret, path: str) -> tuple[str, ...]:
    return (f"GET {path} HTTP/1.1", "Host: here", f"Authorization: Bearer {client.secret}")


@pytest.mark.slow
def test_a_wait_is_held_beside_anothers_event_streams(
    web: Stack, client: ClientSecret, other: ClientSecret, engine: Engine, settings: Settings
) -> None:
    unlimited = {STREAMS_AT_ONCE: None}
    set_quotas(engine, client.client_id, unlimited, default_quotas(settings))
    with web.http(client) as http:
        batch = http.post("/v1/batches", json=OPEN).raise_for_status().json()["id"]
    streams = [Talk(web) for _ in range(600)]
    try:
        for stream in streams:
            stream.send(*get(client, f"/v1/batches/{batch}/events"))
        for stream in streams:
            assert stream.answer().status == 200
        with web.http(other) as http:
            mine = http.post("/v1/batches", json=OPEN).raise_for_status().json()["id"]
            began = time.monotonic()
            http.get(f"/v1/batches/{mine}?wait=2").raise_for_status()
            assert time.monotonic() - began > 1.9, "it was answered at once"
    finally:
        for stream in streams:
            stream.socket.close()


@pytest.mark.slow
def test_uploads_that_hang_leave_connections_for_reads(
    web: Stack, client: ClientSecret, other: ClientSecret, engine: Engine
) -> None:
    """More uploads than there are connections, and none of them gets on."""
    answers: list[int] = []

    def upload() -> None:
        with web.http(client, timeout=100) as http:
            headers = {"Content-Type": "application/x-ndjson"}
            answers.append(http.post(UPLOAD, content=LINES, headers=headers).status_code)

    threads = [threading.Thread(target=upload) for _ in range(24)]
    with engine.connect() as connection:
        # Whoever writes items waits for this, and holds its connection meanwhile.
        connection.execute(text("LOCK TABLE items IN SHARE MODE"))
        for thread in threads:
            thread.start()
        with web.http(other) as http:

            def storing() -> int:
                found = connection.execute(
                    text(
                        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                        " AND application_name = 'batchline-web'"
                    )
                ).scalar_one()
                return int(found)

            share = bounds.STORING // bounds.EACH
            wait_for(lambda: storing() >= share, within=20)
            began = time.monotonic()
            for _ in range(20):
                assert http.get("/v1/batches?limit=1").status_code == 200
            assert time.monotonic() - began < 5
            assert storing() == share, "no more than a client's share"
    for thread in threads:
        thread.join(100)
    assert answers == [202] * 24


@pytest.mark.slow
def test_a_full_pool_says_that_it_is_busy(web: Stack, client: ClientSecret, engine: Engine) -> None:
    """Requests that all wait for a lock of somebody else's: others are told so, not otherwise."""
    with web.http(client) as http:
        batches = [http.post("/v1/batches", json=OPEN).json()["id"] for _ in range(3)]
    with engine.connect() as connection:
        connection.execute(text("LOCK TABLE batches IN ACCESS EXCLUSIVE MODE"))
        with ThreadPoolExecutor(40) as pool:

            def ask(number: int) -> httpx.Response:
                with web.http(client, timeout=100) as http:
                    return http.get(f"/v1/batches/{batches[number % 3]}")

            asked = [pool.submit(ask, number) for number in range(40)]
            late = [each.result() for each in asked[bounds.AT_WORK :] if each.done()]
            wait_for(lambda: any(each.done() for each in asked), within=60)
            connection.rollback()
            late = [each.result(60) for each in asked]
    refused = [answer for answer in late if answer.status_code != 200]
    assert refused
    for answer in refused:
        assert answer.status_code == 503
        assert answer.json()["type"] == "urn:batchline:problem:busy"
        assert int(answer.headers["Retry-After"]) >= 1
