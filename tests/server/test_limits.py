"""A process that has all the connections it may have, or no file for another one."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack

import psutil
import pytest

from app.clients.credentials import ClientSecret
from app.core.settings import Settings
from tests.server.conftest import a_web_process
from tests.server.talking import Talk, get
from tests.server.test_connections import GET, LINE, post
from tests.support.stack import Stack, wait_for

pytestmark = pytest.mark.slow
_MOST = 60
_OLD = 1.1
"""Seconds after which one that is slow with something gives way to another."""


@pytest.fixture(scope="module")
def narrow(settings: Settings) -> Iterator[Stack]:
    """It keeps two hundred files for other things."""
    with a_web_process(settings, before=f"ulimit -n {_MOST + 200}") as stack:
        yield stack


def process_of(stack: Stack) -> psutil.Process:
    """The process that answers."""
    parent = psutil.Process(stack.processes["web"].process.pid)
    [web] = [each for each in parent.children(recursive=True) if not each.children()]
    return web


@pytest.fixture(autouse=True)
def _alone(narrow: Stack) -> None:
    """Those of the test before have gone."""
    web, port = process_of(narrow), int(narrow.url.rpartition(":")[2])

    def connected() -> bool:
        found = web.net_connections("tcp")
        return any(each.raddr and each.laddr.port == port for each in found)

    wait_for(lambda: not connected())


def gets_in(stack: Stack) -> bool:
    """Whether somebody new is answered."""
    try:
        with Talk(stack) as talk:
            return talk.send(*GET).answer().status == 200
    except ConnectionError:
        return False


def test_who_has_sent_nothing_goes_before_who_was_answered(narrow: Stack) -> None:
    with ExitStack() as held:
        answered = held.enter_context(Talk(narrow))
        assert answered.send(*GET).answer().status == 200
        silent = [held.enter_context(Talk(narrow)) for _ in range(_MOST - 1)]
        time.sleep(_OLD)
        for _ in range(10):
            silent.append(held.enter_context(Talk(narrow)))
        assert all(gets_in(narrow) for _ in range(10))
        assert silent[0].ended(), "the one that was silent for longest"
        assert answered.send(*GET).answer().status == 200


def test_of_those_who_were_answered_the_one_that_was_idle_for_longest(narrow: Stack) -> None:
    with ExitStack() as held:
        talks = [held.enter_context(Talk(narrow)) for _ in range(_MOST)]
        assert {talk.send(*GET).answer().status for talk in talks} == {200}
        time.sleep(_OLD)
        assert talks[0].send(*GET).answer().status == 200
        assert gets_in(narrow)
        assert talks[1].ended()
        assert talks[0].send(*GET).answer().status == 200


def test_where_nobody_may_go_the_newest_is_told(narrow: Stack, client: ClientSecret) -> None:
    """Requests that are being answered are not broken off."""
    with narrow.http(client) as http:
        items = {"operation": "catalog.masterlist", "start": "manual", "items": [{}]}
        batch = http.post("/v1/batches", json=items).raise_for_status().json()["id"]
    with ExitStack() as held:
        waiting = [held.enter_context(Talk(narrow)) for _ in range(_MOST)]
        for talk in waiting:
            talk.send(*get(client, f"/v1/batches/{batch}?wait=4"))
        with Talk(narrow) as talk:
            answer = talk.send(*GET).answer()
        assert (answer.status, answer.json["type"]) == (503, "urn:batchline:problem:busy")
        assert int(answer.headers["retry-after"]) >= 1
        assert {talk.answer().status for talk in waiting} == {200}
        wait_for(lambda: gets_in(narrow), within=10)


def test_who_waits_to_send_a_body_gives_way(narrow: Stack, client: ClientSecret) -> None:
    """More of them than there are places to send one in, for this client."""
    with ExitStack() as held:
        for _ in range(_MOST):
            talk = held.enter_context(Talk(narrow))
            talk.send(*post(client, "Content-Length: 100000"), body=LINE)
        time.sleep(_OLD + 0.5)
        assert all(gets_in(narrow) for _ in range(10))


def test_who_takes_nothing_of_an_answer_gives_way(narrow: Stack, client: ClientSecret) -> None:
    lines = b"".join(
        json.dumps({"asin": str(n), "filling": "x" * 200_000}).encode() + b"\n" for n in range(40)
    )
    with Talk(narrow) as talk:
        talk.send(*post(client, f"Content-Length: {len(lines)}"), body=lines)
        batch = talk.answer().json["id"]
    with ExitStack() as held:
        for _ in range(_MOST):
            talk = held.enter_context(Talk(narrow, receive_buffer=4096))
            talk.send(*get(client, f"/v1/batches/{batch}/results"))
        # Before the time is over in which a peer may take nothing.
        wait_for(lambda: gets_in(narrow), within=20, what=narrow.tail)


@pytest.mark.whole
def test_without_a_file_for_another_connection(settings: Settings, client: ClientSecret) -> None:
    with a_web_process(settings) as stack, ExitStack() as held:
        answered = held.enter_context(Talk(stack))
        with stack.http(client) as http:
            items = {"operation": "catalog.masterlist", "start": "manual", "items": [{}]}
            batch = http.post("/v1/batches", json=items).raise_for_status().json()["id"]
        assert answered.send(*get(client, "/v1/batches")).answer().status == 200
        web = process_of(stack)
        before = web.rlimit(psutil.RLIMIT_NOFILE)
        web.rlimit(psutil.RLIMIT_NOFILE, (web.num_fds() + 5, before[1]))
        silent = [held.enter_context(Talk(stack)) for _ in range(5)]
        time.sleep(_OLD)
        silent += [held.enter_context(Talk(stack)) for _ in range(3)]
        assert [talk.ended() for talk in silent[:3]] == [True] * 3
        assert answered.send(*get(client, "/v1/batches")).answer().status == 200
        # Now there is nobody who may go.
        answered.send(*get(client, f"/v1/batches/{batch}?wait=3"))
        silent += [held.enter_context(Talk(stack)) for _ in range(20)]
        spent = sum(web.cpu_times()[:2])
        assert answered.answer().status == 200
        assert sum(web.cpu_times()[:2]) - spent < 1, "it tries all the time"
        assert all(gets_in(stack) for _ in range(10)), stack.tail()
        log = (stack.logs / "web.log").read_text()
        assert 0 < log.count("No connection could be taken") < 10
        # A body that is to be written down finds no file either, and is told to come back.
        talk = held.enter_context(Talk(stack))
        assert talk.send(*GET).answer().status == 200
        web.rlimit(psutil.RLIMIT_NOFILE, (3, before[1]))
        body = LINE * 10_000
        answer = talk.send(*post(client, f"Content-Length: {len(body)}"), body=body).answer()
        assert (answer.status, answer.json["type"]) == (503, "urn:batchline:problem:busy")
        web.rlimit(psutil.RLIMIT_NOFILE, before)
        with Talk(stack) as talk:
            talk.send(*post(client, f"Content-Length: {len(body)}"), body=body)
            assert talk.answer().status == 202
