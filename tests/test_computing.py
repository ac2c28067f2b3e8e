"""Of the threads that compute for long one does at a time, in turn, and none waits meanwhile."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from flask import Flask, request

from app.core.computing import (
    MOST_PATIENCE,
    Quick,
    alone,
    aside,
    in_line,
    pieces,
    quickly,
    unhurried,
)
from app.formats import Spool
from app.web.bodies import Body
from tests.support.stack import wait_for

_SECONDS = 10


class _Among:
    """Who is inside at the same time, and the most there were."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = 0
        self.most = 0

    def enter(self) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)

    def leave(self) -> None:
        with self._lock:
            self._now -= 1


def test_bodies_are_taken_apart_one_at_a_time() -> None:
    """Eight threads write what they make of a body: never two of them make any at a time."""
    among = _Among()

    def blocks() -> Iterator[list[bytes]]:
        for _ in range(20):
            with aside():
                pass  # as where more of the body is read: the others' turn
            among.enter()
            time.sleep(0.001)  # for others to come in, if they can
            among.leave()
            yield [b"{}"]

    def fill() -> int:
        with Spool() as spool:
            return spool.fill_blocks(blocks()).count

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: fill(), range(8))) == [20] * 8
    assert among.most == 1


def test_turns_go_round() -> None:
    """Each piece is followed by one of everybody who waits, in the order in which they came."""
    order: list[int] = []

    def work(number: int) -> None:
        with alone():
            for _ in range(3):
                order.append(number)
                with aside():
                    pass

    with ThreadPoolExecutor(3) as pool:
        with alone():
            futures = []
            for number in range(3):
                futures.append(pool.submit(work, number))
                wait_for(lambda: in_line() == len(futures), within=_SECONDS)
        for future in futures:
            future.result(_SECONDS)
    assert order == [0, 1, 2] * 3


def test_a_peer_that_is_waited_for_holds_up_nobody() -> None:
    """While one body waits for its sender another is taken apart."""
    waits, goes_on = threading.Event(), threading.Event()

    class Slow(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
            waits.set()
            assert goes_on.wait(_SECONDS)
            return 0

    def slow() -> None:
        app = Flask(__name__)
        sent = {"wsgi.input": Slow(), "wsgi.input_terminated": True}
        with app.test_request_context(environ_overrides=sent):
            body = Body(request, 1000)
            with Spool() as spool:
                spool.fill(iter(body.read_all, b""))

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(slow)
        try:
            wait_for(lambda: waits.is_set() or other.done(), within=_SECONDS)
            with Spool() as spool:
                assert spool.fill([b"{}"]).count == 1
            assert not other.done()
        finally:
            goes_on.set()
        other.result(_SECONDS)


def test_what_is_raised_leaves_the_turn_to_others() -> None:
    with suppress(ZeroDivisionError), alone(), aside():
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), alone(), alone():
        raise ZeroDivisionError
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(_took_it).result(_SECONDS)


def _took_it() -> bool:
    with alone():
        return True


def test_who_has_the_turn_need_not_wait_for_it() -> None:
    with alone(), alone():
        assert in_line() == 0
    with alone():
        pass


def test_a_piece_waits_for_those_who_are_quick() -> None:
    """Until they are done, however soon; and only as long as pieces have computed."""
    quick = Quick()
    quick.more(1)
    with ThreadPoolExecutor(1) as pool:
        quick.patience = _SECONDS
        waits = pool.submit(quick.let_them_end)
        wait_for(lambda: quick._waits, within=_SECONDS)
        assert not waits.done()
        quick.more(1)
        quick.more(-1)
        assert not waits.done(), "one is still at it"
        quick.more(-1)
        waits.result(_SECONDS)
    assert 0 < quick.patience < _SECONDS


def test_patience_is_what_was_computed() -> None:
    now = 0.0
    quick = Quick(lambda: now)
    quick.patience = 0.0
    quick.more(1)
    quick.let_them_end()  # at once
    quick.computed(MOST_PATIENCE / 2)
    assert quick.patience == MOST_PATIENCE / 2
    quick.computed(1.0)
    assert quick.patience == MOST_PATIENCE


def test_who_waits_or_computes_alone_is_not_waited_for() -> None:
    """Or a piece would wait for its own thread, and for those that wait for it."""
    seen: list[int] = []

    def see() -> None:
        seen.append(pieces._quick._number)

    see()
    with quickly():
        see()
        with alone():
            see()
            with aside():
                see()
        see()
        with unhurried(), unhurried():
            see()
        see()
    see()
    with unhurried(), alone():
        see()
    began = seen[0]
    assert [number - began for number in seen] == [0, 1, 0, 0, 1, 0, 1, 0, 0]
