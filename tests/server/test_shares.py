"""What one client takes, and what is left for the others."""

from __future__ import annotations

import json
import select
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import Engine, text

from app.batches.intake import MOST_ITEMS
from app.clients.credentials import ClientSecret, create_client
from app.clients.quotas import STREAMS_AT_ONCE, SUBMISSIONS_AT_ONCE, default_quotas, set_quotas
from app.core.settings import Settings
from app.server import bounds
from tests.api.conftest import ITEM
from tests.dialects.facts import FACTS
from tests.dialects.speaking import Speaker
from tests.server.talking import Talk, get, waiting_for_locks
from tests.support.application import application
from tests.support.stack import Stack, wait_for

OPEN = {"operation": "catalog.masterlist", "start": "manual", "items": [ITEM]}
LINES = b'{"asin":"A1","countryCode":"US","percACoS":2.7}\n' * 1000
# Those of which a call may bring more than are written by one statement.
TAKE_MANY = [name for name, facts in FACTS.items() if (facts.submitting.most or 1000) > MOST_ITEMS]
UPLOAD = "/v1/batches?operation=catalog.masterlist&start=manual"


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
            share = bounds.STORING // bounds.EACH
            wait_for(lambda: waiting_for_locks(engine) >= share, within=20)
            began = time.monotonic()
            for _ in range(20):
                assert http.get("/v1/batches?limit=1").status_code == 200
            assert time.monotonic() - began < 5
            assert waiting_for_locks(engine) == share, "no more than a client's share"
    for thread in threads:
        thread.join(100)
    assert answers == [202] * 24


@pytest.mark.slow
@pytest.mark.parametrize("dialect", TAKE_MANY)
def test_dialects_uploads_that_hang_leave_places(
    web: Stack, settings: Settings, other: ClientSecret, engine: Engine, dialect: str
) -> None:
    """Four clients with many items each: what waits to be stored has places of its own."""
    how = FACTS[dialect].submitting
    body = json.dumps(how.body(how.items(how.most or 1000))).encode() + b" " * 400_000
    clients = [create_client(engine, f"one of four {uuid4()}") for _ in range(4)]
    with application(settings) as app:
        calls = 6 * [
            (one, how.path.format(**how.begin(Speaker(app.test_client(), one, dialect))))
            for one in clients
        ]
    answers: list[int] = []

    def upload(one: ClientSecret, path: str) -> None:
        headers = FACTS[dialect].headers(one.api_key, one.secret)
        with httpx.Client(base_url=web.url, headers=headers, timeout=100) as http:
            sent = http.request(
                how.method, path, content=body, headers={"Content-Type": "application/json"}
            )
            answers.append(sent.status_code)

    threads = [threading.Thread(target=upload, args=call) for call in calls]
    with engine.connect() as connection:
        connection.execute(text("LOCK TABLE items IN SHARE MODE"))
        for thread in threads:
            thread.start()
        with web.http(other) as http:
            wait_for(lambda: waiting_for_locks(engine) >= bounds.STORING, within=30)
            began = time.monotonic()
            for _ in range(20):
                assert http.get("/v1/batches?limit=1").status_code == 200
            assert time.monotonic() - began < 5
            assert waiting_for_locks(engine) == bounds.STORING
    for thread in threads:
        thread.join(100)
    assert len(answers) == len(calls)
    assert max(answers) < 300


@pytest.mark.whole
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


@pytest.mark.slow
def test_a_share_goes_by_the_secret_alone(
    web: Stack, client: ClientSecret, other: ClientSecret, engine: Engine
) -> None:
    """A cookie that is another each time makes nobody a stranger."""
    with web.http(client) as http, web.http(other) as others:
        batch = http.post("/v1/batches", json=OPEN).raise_for_status().json()["id"]
        others.get("/v1/webhooks").raise_for_status()
    with ExitStack() as held:
        talks = [held.enter_context(Talk(web)) for _ in range(3 * bounds.AT_WORK)]
        with engine.connect() as connection:
            connection.execute(text("LOCK TABLE batches IN ACCESS EXCLUSIVE MODE"))
            for number, talk in enumerate(talks):
                own = (f"Cookie: n={number}", f"APIKey: {number}")
                talk.send(*get(client, f"/v1/batches/{batch}", *own))
            # Two clients have come within a second, or so it should be; in any case it has no more.
            share = bounds.AT_WORK // bounds.BESIDE
            wait_for(lambda: waiting_for_locks(engine) >= share, within=20)
            with Talk(web) as talk:
                began = time.monotonic()
                assert talk.send(*get(other, "/v1/webhooks")).answer().status == 200
                assert time.monotonic() - began < 5
            assert waiting_for_locks(engine) <= bounds.AT_WORK // bounds.EACH
        # Nothing of it is at work any more when the next test looks.
        for talk in talks:
            assert talk.answer().status == 200


@pytest.mark.slow
def test_who_comes_for_the_first_time_with_many_has_a_share_too(
    web: Stack, client: ClientSecret, other: ClientSecret, engine: Engine
) -> None:
    """They are strangers' until the first has been looked at, and then they are this client's."""
    share = bounds.AT_WORK // bounds.BESIDE
    with web.http(other) as others:
        others.get("/v1/webhooks").raise_for_status()
    with engine.connect() as batches, engine.connect() as keys, ExitStack() as held:
        batches.execute(text("LOCK TABLE batches IN ACCESS EXCLUSIVE MODE"))
        keys.execute(text("LOCK TABLE key_secrets IN ACCESS EXCLUSIVE MODE"))
        for _ in range(3 * bounds.AT_WORK):
            held.enter_context(Talk(web)).send(*get(client, "/v1/batches?limit=1"))
        wait_for(lambda: waiting_for_locks(engine) == share, within=20)
        with Talk(web) as talk:
            # What comes after them is answered after they have been looked through.
            talk.send("GET / HTTP/1.1", "no colon").answer()
        keys.rollback()
        wait_for(lambda: waiting_for_locks(engine) >= share, within=20)
        with Talk(web) as talk:
            began = time.monotonic()
            assert talk.send(*get(other, "/v1/webhooks")).answer().status == 200
            assert time.monotonic() - began < 5


@pytest.mark.slow
def test_two_who_send_slowly_leave_places_to_send_bodies_in(
    web: Stack, client: ClientSecret, other: ClientSecret, engine: Engine, settings: Settings
) -> None:
    """Each holds all it can, for as long as it likes to send; a third has its turn at once."""
    third = create_client(engine, f"third {uuid4()}")
    for greedy in (client, other):
        unlimited = {SUBMISSIONS_AT_ONCE: None}
        set_quotas(engine, greedy.client_id, unlimited, default_quotas(settings))
    for one in (client, other, third):
        with web.http(one) as http:
            http.get("/v1/webhooks").raise_for_status()
    with ExitStack() as held:
        for greedy in (client, other):
            slow = [held.enter_context(Talk(web)) for _ in range(bounds.RECEIVING)]
            for talk in slow:
                talk.send(*_upload(greedy, 1_000_000, "Expect: 100-continue"))
            # Who has a place is told to go on; the last quarter of them is for others.
            wait_for(partial(_told_to_go_on, slow, bounds.RECEIVING // 4), within=20)
        with Talk(web) as talk:
            # Those who send nothing are given up after 30 s at the earliest.
            talk.socket.settimeout(bounds.LEAST_WITHIN / 2)
            body = LINES * 2
            assert talk.send(*_upload(third, len(body)), body=body).answer().status == 202


def _upload(client: ClientSecret, length: int, *more: str) -> tuple[str, ...]:
    return (
        f"POST {UPLOAD} HTTP/1.1",
        "Host: here",
        f"Authorization: Bearer {client.secret}",
        "Content-Type: application/x-ndjson",
        f"Content-Length: {length}",
        *more,
    )


def _told_to_go_on(talks: list[Talk], least: int) -> bool:
    """Whether so many have something to read."""
    return len(select.select([talk.socket for talk in talks], [], [], 0)[0]) >= least
