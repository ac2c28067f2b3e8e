"""Quotas hold over all web processes, to the number, whoever asks for how much at once."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret
from app.clients.quotas import NO_QUOTAS, set_quotas
from app.core.settings import Settings
from app.metrics.listener import impatient_redis
from app.web.places import Places
from tests.api.conftest import ITEM
from tests.api.test_reading import ended
from tests.api.two_processes.processes import connected, processes
from tests.dialects.facts import FACTS
from tests.support.stack import Stack, wait_for
from tests.support.wire import Wire

pytestmark = [pytest.mark.usefixtures("own_processes"), pytest.mark.whole]
AT_ONCE = 24
QUOTA = "urn:batchline:problem:quota"


@pytest.fixture
def allow(engine: Engine, client: ClientSecret) -> Callable[..., None]:
    """Set quotas of the client, of which no process has heard yet."""

    def allow(**quotas: int) -> None:
        set_quotas(engine, client.client_id, quotas, NO_QUOTAS)

    return allow


Send = Callable[[httpx.Client], httpx.Response]


def at_once(pair: Stack, client: ClientSecret, send: Send, times: int = AT_ONCE) -> list[int]:
    """The statuses of so many requests at once, half of them to each process."""
    with ExitStack() as opened:
        lines = [
            opened.enter_context(connected(pair, process, client))
            for process in processes(pair)
            for _ in range(4)
        ]
        with ThreadPoolExecutor(len(lines)) as threads:
            found = threads.map(
                lambda place: [checked(send(lines[place])) for _ in range(times // len(lines))],
                range(len(lines)),
            )
            return sorted(status for part in found for status in part)


def checked(answer: httpx.Response) -> int:
    """Its status; whatever is no success is a refusal by quota."""
    if not answer.is_success:
        assert answer.status_code == 429, answer.text
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.json()["type"] == QUOTA
        assert answer.json()["quota"] in answer.json()["detail"]
    return answer.status_code


def submit(http: httpx.Client, items: int = 1, **fields: Any) -> httpx.Response:
    body = {"operation": "catalog.masterlist", "start": "manual", "items": [ITEM] * items}
    return http.post("/v1/batches", json={**body, **fields})


def made(http: httpx.Client, items: int = 1) -> str:
    return str(submit(http, items).raise_for_status().json()["id"])


def refused(answer: httpx.Response, quota: str) -> None:
    assert (checked(answer), answer.json()["quota"]) == (429, quota)


def stored(engine: Engine, client: ClientSecret) -> tuple[int, int]:
    """How many batches and items the client has."""
    with engine.connect() as connection:
        row = connection.execute(
            text(
                """SELECT count(DISTINCT b.id), count(i.index) FROM batches b
                LEFT JOIN items i ON i.batch_id = b.id WHERE b.client_id = :client"""
            ),
            {"client": client.client_id},
        ).one()
    return int(row[0]), int(row[1])


@pytest.mark.parametrize("items", [1, 300], ids=["small", "streamed"])
@pytest.mark.parametrize("key", [None, "idempotent"])
def test_open_batches(
    pair: Stack, client: ClientSecret, allow: Any, engine: Engine, items: int, key: str | None
) -> None:
    allow(openBatches=5)
    number = iter(range(1000))

    def send(http: httpx.Client) -> httpx.Response:
        if key is not None:
            http.headers["Idempotency-Key"] = f"{key}-{next(number)}"
        return submit(http, items)

    statuses = at_once(pair, client, send)
    assert statuses.count(202) == 5
    assert stored(engine, client) == (5, 5 * items)
    with pair.http(client) as http:
        refused(submit(http), "openBatches")
        batch = http.get("/v1/batches?limit=1").json()["data"][0]["id"]
        http.post(f"/v1/batches/{batch}/cancel").raise_for_status()
        assert submit(http).status_code == 202, "one has ended, so there is room for another"
        refused(submit(http), "openBatches")
        refused(http.post(f"/v1/batches/{batch}/reset"), "openBatches")
        refused(
            http.post(f"/v1/batches/{batch}/retry", json={"statuses": ["CANCELED"]}), "openBatches"
        )
        assert http.get(f"/v1/batches/{batch}").json()["status"] == "CANCELED"
        refused_rows = http.get("/v1/audit?action=batch.reset").json()["data"]
    assert refused_rows == []


def test_pending_items(pair: Stack, client: ClientSecret, allow: Any, engine: Engine) -> None:
    allow(pendingItems=20)
    statuses = at_once(pair, client, lambda http: submit(http, 3))
    assert statuses.count(202) == 6
    with pair.http(client) as http:
        refused(submit(http, 21), "pendingItems")
        batch = made(http, 2)
        path = f"/v1/batches/{batch}"
        refused(http.post(f"{path}/items", json=[ITEM]), "pendingItems")
        ended(engine, batch, completed=1, failed=1)
        assert http.post(f"{path}/retry").status_code == 202
        refused(submit(http, 2), "pendingItems")
        assert submit(http, 1).status_code == 202
        refused(http.post(f"/v1/batches/{made(http, 0)}/items", json=[ITEM]), "pendingItems")


def test_a_retry_does_not_pass_them(
    pair: Stack, client: ClientSecret, allow: Any, engine: Engine
) -> None:
    with pair.http(client) as http:
        batch = made(http, 5)
        ended(engine, batch, completed=1, failed=4)
        made(http, 7)
        allow(pendingItems=10)
        time.sleep(1)  # until every process knows
        refused(http.post(f"/v1/batches/{batch}/retry"), "pendingItems")
        shown = http.get(f"/v1/batches/{batch}").json()
    assert (shown["status"], shown["summary"]["failed"]) == ("PARTIAL", 4)


def test_stored_items(pair: Stack, client: ClientSecret, allow: Any, engine: Engine) -> None:
    """Counted, and added to what was counted: both ways come to the same."""
    allow(storedItems=50)
    statuses = at_once(pair, client, lambda http: submit(http, 3))
    assert statuses.count(202) == 16
    time.sleep(2)  # from now on what was counted is kept
    with pair.http(client) as http:
        found = http.get("/v1/batches").json()["data"]
        for batch in found[:8]:
            http.post(f"/v1/batches/{batch['id']}/cancel").raise_for_status()
            http.delete(f"/v1/batches/{batch['id']}").raise_for_status()
    statuses = at_once(pair, client, lambda http: submit(http, 3))
    assert statuses.count(202) == 8
    assert stored(engine, client) == (16, 48)
    with pair.http(client) as http:
        path = f"/v1/batches/{made(http, 0)}"
        refused(submit(http, 51), "storedItems")
    statuses = at_once(pair, client, lambda http: http.post(f"{path}/items", json=[ITEM]))
    assert statuses.count(200) == 2
    assert stored(engine, client)[1] == 50


@pytest.mark.parametrize("dialect", FACTS)
def test_dialects_too(
    pair: Stack, client: ClientSecret, allow: Any, engine: Engine, dialect: str
) -> None:
    allow(pendingItems=4)
    how = FACTS[dialect]
    headers = how.headers(client.api_key, client.secret)
    with httpx.Client(base_url=pair.url, headers=headers, timeout=30) as http:

        def speak(method: str, path: str, body: Any = None) -> Any:
            answer = http.request(method, path, json=body)
            return _Shown(answer)

        path = how.submitting.path.format(**how.submitting.begin(_Speaker(speak)))  # type: ignore[arg-type]
        send = how.submitting.body(how.submitting.items(3))
        assert http.request(how.submitting.method, path, json=send).is_success
        answer = http.request(how.submitting.method, path, json=send)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    assert "pendingItems" in answer.text
    if dialect == "fluent":
        assert answer.json()["error"][0]["code"] == "429"
    assert stored(engine, client)[1] == 3


class _Shown:
    def __init__(self, answer: httpx.Response) -> None:
        self.status_code, self.json, self.data = answer.status_code, answer.json(), answer.content


class _Speaker:
    """What `begin` of the facts asks of a speaker."""

    def __init__(self, speak: Callable[..., Any]) -> None:
        self._speak = speak

    def post(self, path: str, body: Any) -> Any:
        return self._speak("POST", path, body)


def test_webhooks(pair: Stack, client: ClientSecret, allow: Any) -> None:
    allow(webhooks=3)
    url = {"url": "https://hooks.example.com/"}
    statuses = at_once(pair, client, lambda http: http.post("/v1/webhooks", json=url))
    assert statuses.count(201) == 3
    with pair.http(client) as http:
        refused(http.post("/v1/webhooks", json=url), "webhooks")
        which = http.get("/v1/webhooks").json()["data"][0]["id"]
        http.delete(f"/v1/webhooks/{which}").raise_for_status()
        assert http.post("/v1/webhooks", json=url).status_code == 201


def test_requests_a_second(pair: Stack, client: ClientSecret, allow: Any) -> None:
    allow(requestsPerSecond=20)
    begun = time.monotonic()
    statuses = at_once(pair, client, lambda http: http.get("/v1/limits"), times=400)
    took = time.monotonic() - begun
    assert statuses.count(200) <= 40 + 20 * took
    assert statuses.count(429) > 0


def begun_upload(stack: Stack, client: ClientSecret) -> Wire:
    """A submission of which half has come."""
    wire = Wire(stack, client)
    wire.head("Content-Length: 1000")
    wire.socket.sendall(json.dumps(ITEM).encode() + b"\n")
    return wire


def under_way(places: Places, client: ClientSecret, number: int) -> None:
    """Wait until the client has taken so many places."""
    wait_for(lambda: places.count(client.client_id) == number, within=10)


def test_submissions_at_once(
    pair: Stack, client: ClientSecret, allow: Any, own_settings: Settings
) -> None:
    allow(submissionsAtOnce=2)
    redis = impatient_redis(own_settings.redis_url or "")
    places = Places(redis, "submissionsAtOnce")

    with ExitStack() as opened, pair.http(client) as http:
        opened.callback(redis.close)
        assert submit(http).status_code == 202
        wires = []
        for number in (1, 2):
            wires.append(begun_upload(pair, client))
            opened.callback(wires[-1].socket.close)
            under_way(places, client, number)
        refused(submit(http), "submissionsAtOnce")
        batch = http.get("/v1/batches?limit=1").json()["data"][0]["id"]
        refused(http.post(f"/v1/batches/{batch}/items", json=[ITEM]), "submissionsAtOnce")
        wires[0].socket.close()
        under_way(places, client, 1)
        assert submit(http).status_code == 202
        wires[1].socket.close()
        under_way(places, client, 0)


def test_large_submissions_are_counted_under_the_default_too(
    pair: Stack, client: ClientSecret, own_settings: Settings
) -> None:
    redis = impatient_redis(own_settings.redis_url or "")
    places = Places(redis, "submissionsAtOnce")
    with ExitStack() as opened, pair.http(client) as http:
        opened.callback(redis.close)
        for number in range(8):
            wire = Wire(pair, client)
            opened.callback(wire.socket.close)
            wire.head("Transfer-Encoding: chunked")
            under_way(places, client, number + 1)
        ninth = http.post(
            "/v1/batches?operation=catalog.masterlist",
            content=iter([b"{}"]),
            headers={"Content-Type": "application/x-ndjson"},
        )
        refused(ninth, "submissionsAtOnce")
        assert submit(http).status_code == 202, "a small one takes no time"


def stream(pair: Stack, client: ClientSecret, batch: str, opened: ExitStack) -> httpx.Response:
    http = opened.enter_context(pair.http(client))
    return opened.enter_context(http.stream("GET", f"/v1/batches/{batch}/events"))


def test_streams_at_once(pair: Stack, client: ClientSecret, allow: Any) -> None:
    allow(streamsAtOnce=3)
    with pair.http(client) as http:
        batch = made(http)
        path = f"/v1/batches/{batch}"
        with ExitStack() as opened:
            for _ in range(3):
                assert stream(pair, client, batch, opened).status_code == 200
            fourth = stream(pair, client, batch, opened)
            fourth.read()
            refused(fourth, "streamsAtOnce")
            refused(http.get(f"{path}?wait=20"), "streamsAtOnce")
            http.post(f"{path}/cancel").raise_for_status()
            assert http.get(f"{path}?wait=20").status_code == 200, "it has ended: nothing waits"
        other = made(http)
        wait_for(lambda: http.get(f"/v1/batches/{other}?wait=1").status_code == 200, within=10)
        waits = at_once(pair, client, lambda line: line.get(f"/v1/batches/{other}?wait=3"), times=8)
        assert (waits.count(200), waits.count(429)) == (3, 5)


def test_what_a_process_held_that_was_killed_is_free_again(
    pair: Stack, client: ClientSecret, allow: Any
) -> None:
    allow(streamsAtOnce=1)
    with pair.http(client) as http:
        batch = made(http)
    first, _ = processes(pair)
    with connected(pair, first, client) as line, ExitStack() as opened:
        opened.enter_context(line.stream("GET", f"/v1/batches/{batch}/events"))
        with pair.http(client) as http:
            refused(http.get(f"/v1/batches/{batch}?wait=1"), "streamsAtOnce")
            os.kill(first.pid, signal.SIGKILL)
            wait_for(lambda: first not in processes(pair) and len(processes(pair)) == 2)

    def free() -> bool:
        with pair.http(client) as http:
            return http.get(f"/v1/batches/{batch}?wait=1").status_code == 200

    wait_for(free, within=30)
