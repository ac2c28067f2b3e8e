"""A body's least rate: each stretch of time that is spent waiting for it counts for itself."""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Iterator

import pytest

from app.core.errors import TooSlow, Unavailable
from app.server.bounds import LEAST_BYTES
from app.server.incoming import Incoming

_WITHIN = 0.5


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Incoming, socket.socket]]:
    monkeypatch.setattr("app.server.incoming.LEAST_WITHIN", _WITHIN)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        incoming = Incoming(ours)
        incoming.begin(b"")
        incoming.only_arrived = False
        yield incoming, theirs


def test_who_begins_quickly_and_stops(ends: tuple[Incoming, socket.socket]) -> None:
    incoming, peer = ends
    peer.sendall(b"x" * 2 * LEAST_BYTES)
    came: list[bytes] = []
    began, spent = time.monotonic(), time.thread_time()
    with pytest.raises(TooSlow):
        came.extend(iter(lambda: incoming.chunk(8192), b""))
    assert sum(map(len, came)) == 2 * LEAST_BYTES
    assert time.monotonic() - began >= 2 * _WITHIN, "what came was enough for the first of them"
    assert time.thread_time() - spent < _WITHIN / 2, "it waits busily"


def test_who_is_too_slow_from_the_beginning(ends: tuple[Incoming, socket.socket]) -> None:
    incoming, peer = ends
    peer.sendall(b"x" * (LEAST_BYTES - 1))
    began = time.monotonic()
    with pytest.raises(TooSlow):
        deque(iter(lambda: incoming.chunk(8192), b""))
    assert time.monotonic() - began < 2 * _WITHIN


def test_a_thread_that_waits_is_told_of_the_end(ends: tuple[Incoming, socket.socket]) -> None:
    incoming, _ = ends
    began = time.monotonic()
    incoming.stop()
    with pytest.raises(Unavailable):
        incoming.chunk(8192)
    assert time.monotonic() - began < _WITHIN
