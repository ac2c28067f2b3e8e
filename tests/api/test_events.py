"""Following a batch by Server-Sent Events, and what becomes of those who do not read or go."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import httpx
import pytest
from flask import Flask
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret
from app.clients.quotas import STREAMS_AT_ONCE, default_quotas, set_quotas
from app.core.settings import Settings
from app.web import sse
from app.web.sse import Line
from tests.api.conftest import Caller, make_app
from tests.support.stack import Stack


@dataclass(frozen=True)
class Event:
    name: str
    id: str
    data: Any
    at: float


@pytest.fixture
def http(stack: Stack, client: ClientSecret) -> Iterator[httpx.Client]:
    with stack.http(client) as http:
        yield http


def submit(http: httpx.Client, items: list[Any], **fields: Any) -> str:
    answer = http.post("/v1/batches", json={"items": items, **fields})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def follow(http: httpx.Client, batch_id: str, last: str | None = None) -> Iterator[Event]:
    headers = {} if last is None else {"Last-Event-ID": last}
    with http.stream("GET", f"/v1/batches/{batch_id}/events", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "text/event-stream"
        fields: dict[str, str] = {}
        for line in answer.iter_lines():
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "data" in fields:
                data = json.loads(fields["data"])
                yield Event(fields["event"], fields["id"], data, time.monotonic())
                fields = {}


def test_progress_and_then_the_end(stack: Stack, http: httpx.Client) -> None:
    """However fast it goes, there are at most some four events a second; the last is the batch."""
    items = [{"do": "succeed", "seconds": 0.02} for _ in range(150)]
    batch_id = submit(http, items, operation="test.outside")
    *progress, finished = list(follow(http, batch_id))
    assert {event.name for event in progress} == {"progress"}
    assert finished.name == "finished"
    assert finished.data == http.get(f"/v1/batches/{batch_id}").json()
    assert progress[-1].data == finished.data["summary"]
    told = [event.data["processed"] for event in progress]
    assert told == sorted(told)
    assert any(0 < processed < 150 for processed in told), "it was told while it ran"
    gaps = [later.at - earlier.at for earlier, later in pairwise(progress[1:-1])]
    assert all(gap > 0.15 for gap in gaps), gaps
    assert len({event.id for event in [*progress, finished]}) == len(progress) + 1


def test_it_goes_on_behind_the_last_event(stack: Stack, http: httpx.Client) -> None:
    batch_id = submit(http, [{"do": "reject"}], operation="test.bulk")
    stack.finished(http, batch_id)
    progress, finished = follow(http, batch_id)
    assert (progress.name, finished.name) == ("progress", "finished")
    assert [event.name for event in follow(http, batch_id, progress.id)] == ["finished"]
    path = f"/v1/batches/{batch_id}/events"
    assert http.get(path, headers={"Last-Event-ID": finished.id}).status_code == 204
    assert [event.name for event in follow(http, batch_id, "nonsense")] == ["progress", "finished"]
    # A retry begins it again: the end before it is no longer its end.
    http.post(f"/v1/batches/{batch_id}/retry").raise_for_status()
    again = list(follow(http, batch_id, finished.id))
    assert again[-1].name == "finished"
    assert again[-1].id != finished.id


def test_an_unknown_batch_is_404(http: httpx.Client) -> None:
    answer = http.get("/v1/batches/01890000-0000-7000-8000-000000000000/events")
    assert answer.status_code == 404


@pytest.fixture
def narrow(settings: Settings, client: ClientSecret) -> Iterator[Caller]:
    """An application with one place for those who wait."""
    apps = make_app(replace(settings, web_threads=1))
    app: Flask = next(apps)
    yield Caller(app, client)
    next(apps, None)


@pytest.mark.whole
def test_one_who_goes_leaves_a_place(narrow: Caller) -> None:
    path = f"/v1/batches/{narrow.opened()}/events"
    first = narrow.get(path, buffered=False)
    stream = first.iter_encoded()
    assert next(stream).startswith(b"retry: 2000")
    assert b"event: progress" in next(stream)
    # Where there is no place, one look is told, and the client comes back later.
    second = narrow.get(path)
    assert second.text.startswith("retry: 5000")
    assert second.text.count("event: progress") == 1
    second.close()
    first.close()
    third = narrow.get(path, buffered=False)
    assert next(third.iter_encoded()).startswith(b"retry: 2000")
    third.close()


def test_a_connection_tells_whether_it_can_be_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    line = Line({"gunicorn.socket": ours})
    assert line.state() == "free"
    ours.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            ours.send(b"x" * 65536)
    assert line.state() == "full", "the other side does not read"
    monkeypatch.setattr(sse, "STALLED_AFTER", 0.0)
    assert line.state() == "gone", "and has not for too long"
    with pytest.raises(OSError, match="ipe"):
        ours.send(b"x")
    ours.close()
    theirs.close()
    ours, theirs = socket.socketpair()
    line = Line({"gunicorn.socket": ours})
    theirs.close()
    assert line.state() == "gone"
    ours.close()


def test_five_hundred_who_wait_do_not_starve_a_submission(
    stack: Stack, http: httpx.Client, client: ClientSecret, engine: Engine, settings: Settings
) -> None:
    # By default a hundred may; this is about what a process does with more.
    unlimited = {STREAMS_AT_ONCE: None}
    set_quotas(engine, client.client_id, unlimited, default_quotas(settings))
    batch_id = submit(http, [], start="manual", operation="test.bulk")
    host, port = stack.url.removeprefix("http://").split(":")
    request = (
        f"GET /v1/batches/{batch_id}?wait=55 HTTP/1.1\r\nHost: {host}\r\n"
        f"Authorization: Bearer {client.secret}\r\nConnection: close\r\n\r\n"
    ).encode()
    waiting = [socket.create_connection((host, int(port)), timeout=30) for _ in range(500)]
    try:
        for one in waiting:
            one.sendall(request)
        # Every one of the 500 has been read before this: it came last.
        begun = time.monotonic()
        small = submit(http, [{"do": "succeed"}], operation="test.bulk")
        assert stack.finished(http, small)["status"] == "SUCCESS"
        took = time.monotonic() - begun
        assert took < 15, f"{took:.1f} s beside 500 who wait"
        answered = [one for one in waiting if _readable(one)]
        assert not answered
        http.post(f"/v1/batches/{batch_id}/cancel").raise_for_status()
        for one in waiting:
            assert b'"status":"CANCELED"' in _read_all(one)
    finally:
        for one in waiting:
            one.close()


def _readable(one: socket.socket) -> bool:
    one.setblocking(False)
    try:
        one.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    finally:
        one.settimeout(30)
    return True


def _read_all(one: socket.socket) -> bytes:
    return b"".join(iter(lambda: one.recv(65536), b""))
