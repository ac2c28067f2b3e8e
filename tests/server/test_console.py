"""The console's requests are a client's like others: by its session, and a stranger's without."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx
import pytest
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret
from app.clients.keys import create_key
from app.console.shell.forms import OF_ANYBODY
from app.server import bounds
from tests.server.talking import Talk, waiting_for_locks
from tests.support.stack import Stack, wait_for

_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')


def signed_in(web: Stack, secret: str) -> httpx.Client:
    """A browser of somebody who has that secret."""
    http = httpx.Client(base_url=web.url, timeout=60)
    answer = http.post("/console/sign-in", data={"csrf": token(http), "secret": secret})
    assert answer.status_code == 303
    return http


def token(http: httpx.Client) -> str:
    found = _TOKEN.search(http.get("/console").raise_for_status().text)
    assert found is not None
    return found[1]


@pytest.mark.slow
def test_sessions_have_their_clients_share_and_not_the_strangers(
    web: Stack, client: ClientSecret, engine: Engine
) -> None:
    keys = [create_key(engine, client.client_id) for _ in range(2)]
    people = [signed_in(web, key.secret) for key in keys for _ in range(8)]
    tokens = [token(http) for http in people]

    def leave(place: int) -> int:
        return people[place].post("/console/sign-out", data={"csrf": tokens[place]}).status_code

    with ThreadPoolExecutor(len(people)) as threads, engine.connect() as connection:
        # Who signs out is audited, and waits for this.
        connection.execute(text("LOCK TABLE audit IN SHARE MODE"))
        left = [threads.submit(leave, place) for place in range(len(people))]
        wait_for(lambda: waiting_for_locks(engine) >= 2, within=20)
        # Beside those who have the strangers' places it would wait until it is told 503.
        with httpx.Client(base_url=web.url, timeout=bounds.LINE_SECONDS - 5) as stranger:
            for _ in range(20):
                assert stranger.get("/console").status_code == 200
                assert stranger.get("/v1/batches").status_code == 401
        assert waiting_for_locks(engine) <= bounds.AT_WORK // bounds.EACH
        connection.rollback()
        assert {each.result(60) for each in left} == {303}
    for http in people:
        http.close()


def test_forms_of_strangers_that_are_slow_leave_places_to_send_bodies_in(
    web: Stack, client: ClientSecret
) -> None:
    """They are read as any body is: past their share they wait in the loop."""
    head = (
        "POST /console/sign-in HTTP/1.1",
        "Host: here",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {OF_ANYBODY}",
    )
    talks = [Talk(web) for _ in range(200)]
    try:
        for talk in talks:
            talk.send(*head, body=b"csrf=x&secret=")
        with closing(signed_in(web, client.secret)) as http:
            assert http.get("/console/batches").status_code == 200
    finally:
        for talk in talks:
            talk.socket.close()


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "OPTIONS"])
def test_whatever_is_asked_without_a_session_is_answered_and_the_connection_kept(
    web: Stack, method: str
) -> None:
    paths = ("/console", "/console/batches", "/console/sign-in", "/console/assets/x", "/console/x")
    with Talk(web) as talk:
        for path in paths:
            talk.send(f"{method} {path} HTTP/1.1", "Host: here", "Content-Length: 0")
            if method == "HEAD":
                head = _head(talk)
                assert b" 200 " in head or b" 303 " in head or b" 404 " in head
            else:
                assert talk.answer().status in (200, 303, 403, 404, 405)


def _head(talk: Talk) -> bytes:
    """The answer to a HEAD, which has a length and no body."""
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        data += talk.socket.recv(1)
    return data
