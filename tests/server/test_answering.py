"""An answer in pieces gives its thread back: where it is far ahead, and where it was long at it."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.message import Request

from app.server.answering import After, Answering
from app.server.bounds import AHEAD, SLICE_SECONDS
from app.server.incoming import Incoming
from app.server.outgoing import Outgoing


@contextmanager
def asked(pieces: Iterable[bytes]) -> Iterator[tuple[Answering, socket.socket]]:
    """What answers a request with these pieces, and the peer's end of its connection."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        incoming = Incoming(ours)
        incoming.begin(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        config = Config()
        request = Request(config, incoming, ("127.0.0.1", 1))
        incoming.begin_body(request.body.reader)

        def application(_: Any, start_response: Any) -> Iterable[bytes]:
            start_response("200 OK", [])
            return pieces

        yield Answering(application, request, incoming, Outgoing(ours), config, {}), theirs


def begin(answer: Answering) -> After:
    return answer.begin(("127.0.0.1", 1), ("127.0.0.1", 2), close=False)


def test_it_is_made_no_further_ahead_than_it_is_taken() -> None:
    made = []

    def pieces() -> Iterator[bytes]:
        for number in range(1000):
            made.append(number)
            yield b"x" * 65536

    with asked(pieces()) as (answer, peer):
        assert begin(answer) is After.MORE
        kernels = answer._outgoing._socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        assert len(made) * 65536 <= AHEAD + kernels + 2 * 65536
        assert peer.recv(100)


def test_one_that_was_long_at_work_leaves_others_their_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr("app.server.answering.time.monotonic", lambda: now[0])

    def pieces() -> Iterator[bytes]:
        for _ in range(4):
            now[0] += SLICE_SECONDS * 0.6
            yield b"x"

    with asked(pieces()) as (answer, _):
        assert begin(answer) is After.TURN, "after the second"
        assert answer.go_on() is After.TURN
        assert answer.go_on() is After.KEEP


def test_what_it_holds_is_given_back_whatever_happens() -> None:
    class Pieces:
        closed = 0

        def __iter__(self) -> Iterator[bytes]:
            raise ValueError("before anything was told")
            yield b""

        def close(self) -> None:
            Pieces.closed += 1

    with asked(Pieces()) as (answer, _):
        with pytest.raises(ValueError, match="before"):
            begin(answer)
        assert not answer.begun
        answer.end()
        answer.end()
        assert Pieces.closed == 1
