"""How a connection ends: with its answer, in time, and without what it took from others."""

from __future__ import annotations

import time

import psutil
import pytest

from app.clients.credentials import ClientSecret
from app.server import bounds
from tests.server.talking import Talk
from tests.server.test_connections import LINE, post
from tests.server.test_limits import process_of
from tests.support.stack import Stack, wait_for

pytestmark = pytest.mark.slow


def is_open(stack: Stack, talk: Talk) -> bool:
    """Whether the server has its end of the connection."""
    port = talk.socket.getsockname()[1]
    found: list[psutil._common.sconn] = process_of(stack).net_connections("tcp")
    return any(each.raddr and each.raddr.port == port for each in found)


def test_an_answer_arrives_though_more_was_sent_than_is_read(
    web: Stack, client: ClientSecret
) -> None:
    """What is not read when a connection is closed would cost the peer its answer."""
    head = [line for line in post(client, "Content-Length: 5000000") if "Authoriz" not in line]
    with Talk(web) as talk:
        talk.send(*head)
        for _ in range(100):
            talk.socket.sendall(LINE * 1000)
            time.sleep(0.002)
        answer = talk.answer()
        assert (answer.status, answer.headers["connection"]) == (401, "close")


def test_who_does_not_close_is_closed(web: Stack) -> None:
    with Talk(web) as talk:
        assert talk.send("GET / HTTP/1.1", "no colon").answer().status == 400
        assert is_open(web, talk), "for a while, what comes is read"
        wait_for(lambda: not is_open(web, talk), within=bounds.LINGER_SECONDS + 10)
