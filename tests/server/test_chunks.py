"""Chunks: what is taken for a whole body is one, and reading many takes no longer than few."""

from __future__ import annotations

import random
import socket
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.http.body import Body, ChunkedReader
from gunicorn.http.errors import NoMoreData, ParseException

from app.server.chunks import LEAST, MANY, Chunks
from app.server.incoming import Incoming

_WHOLE = (
    b"0\r\n\r\n",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"5;name=value\r\nhello\r\n000\r\n\r\n",
    b"5 ;name\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
    b"B\r\n0\r\n\r\n 0\r\n\r\n\r\n0\r\n\r\n",
)
_WRONG = (
    b"100\r\n0\r\n\r\n",
    b"zz\r\n0\r\n\r\n",
    b"5 \r\nhello\r\n0\r\n\r\n",
    b"\r\n0\r\n\r\n",
    b"5\r\nhello!\r\n0\r\n\r\n",
    b"-0\r\n\r\n",
    b"0\r\nX: 1\r\n",
)


def read(data: bytes) -> tuple[bool, bytes]:
    """What gunicorn makes of the bytes: whether it waits for more, and what it has read."""
    incoming = Incoming(None)  # type: ignore[arg-type]
    incoming.begin(data)
    body = body_of(incoming)
    try:
        return False, body.read()
    except NoMoreData:
        return True, b""
    except ParseException:
        return False, b""


def body_of(incoming: Incoming) -> Any:
    reader = ChunkedReader(
        SimpleNamespace(
            limit_request_field_size=8190,
            max_buffer_headers=8192,
            parse_headers=lambda *_, **__: [],
        ),
        incoming,
    )
    incoming.begin_body(reader)
    return Body(reader)


@pytest.mark.parametrize("data", _WHOLE)
def test_it_is_whole_with_its_last_byte_however_it_arrives(data: bytes) -> None:
    for step in (1, 3, len(data)):
        chunks = Chunks()
        ends = [min(end, len(data)) for end in range(step, len(data) + step, step)]
        assert [chunks.are_whole(data[:end]) for end in ends] == [False] * (len(ends) - 1) + [True]
    assert not read(data)[0]


@pytest.mark.parametrize("data", _WRONG)
def test_what_has_not_ended_is_not_whole(data: bytes) -> None:
    assert not Chunks().are_whole(data)


def test_what_is_whole_is_read_without_waiting() -> None:
    """Of any bytes: else the thread that reads them would wait for their sender."""
    dice = random.Random(1)
    whole = 0
    for _ in range(20_000):
        parts = [dice.choice([b"0", b"1", b"a", b";", b" ", b"\r\n", b"\r\n", b"x", b"\n", b"3"])]
        parts += [dice.choice([b"0\r\n", b"1\r\nx\r\n", b"\r\n", b"0", b"2;x\r\nab\r\n"])]
        dice.shuffle(parts)
        data = b"".join(parts * dice.randint(1, 3)) + dice.choice([b"", b"\r\n", b"0\r\n\r\n"])
        if Chunks().are_whole(data):
            whole += 1
            assert not read(data)[0], data
    assert whole > 1000


def test_many_chunks_are_read_in_steps_of_what_is_needed() -> None:
    """Gunicorn copies for each chunk what it was given beyond it."""
    ours, theirs = socket.socketpair()
    each = b"%x\r\n%s\r\n" % (LEAST, b"x" * LEAST)
    data = each * 20_000 + b"0\r\n\r\n"
    given = []

    class Counting(Incoming):
        def read(self, size: int | None = None, read_ahead: int | None = None) -> bytes:
            given.append(len(found := super().read(size, read_ahead)))
            return found

    with ours, theirs:
        ours.setblocking(False)
        sending = threading.Thread(target=theirs.sendall, args=(data,))
        sending.start()
        incoming = Counting(ours)
        incoming.begin(b"")
        incoming.only_arrived = False
        assert body_of(incoming).read() == b"x" * LEAST * 20_000
        sending.join()
    assert sum(given) == len(data)
    assert max(given) <= 4096


def test_a_large_chunk_is_read_at_once() -> None:
    incoming = Incoming(None)  # type: ignore[arg-type]
    incoming.begin(b"%x\r\n" % 60_000 + b"x" * 60_000 + b"\r\n1\r\ny\r\n0\r\n\r\nGET /")
    reads = []
    given = incoming.read

    def read(*arguments: Any, **options: Any) -> bytes:
        reads.append(len(found := given(*arguments, **options)))
        return found

    incoming.read = read  # type: ignore[method-assign]
    assert body_of(incoming).read() == b"x" * 60_000 + b"y"
    assert len(reads) < 8
    assert incoming.take_buffered() == b"GET /", "what comes behind it is left"


def test_many_that_are_too_small_are_refused() -> None:
    few = b"1\r\nx\r\n" * MANY
    assert read(few + b"0\r\n\r\n") == (False, b"x" * MANY)
    assert read(few + b"%x\r\n%s\r\n" % (LEAST * MANY, b"x" * LEAST * MANY) + b"0\r\n\r\n")[1]
    incoming = Incoming(None)  # type: ignore[arg-type]
    incoming.begin(few + b"1\r\nx\r\n" * MANY)
    with pytest.raises(ParseException):
        body_of(incoming).read()


def test_the_loop_follows_no_more_than_some() -> None:
    chunks = Chunks()
    assert not chunks.are_whole(b"1\r\nx\r\n" * MANY + b"0\r\n\r\n")
    assert not chunks.whole
