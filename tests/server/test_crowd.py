"""What waits to be taken, of all connections together: who goes past that, and that it adds up."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config

from app.server.answering import After
from app.server.connection import FLUSH, GONE, IDLE, Connection
from app.server.crowd import Crowd
from app.server.loop import Loop
from app.server.refused import Refused

_EACH = 2_000_000
"""Bytes of an answer: more than the kernel keeps for a peer."""


class House:
    """What connections share, as far as they need it to be written to."""

    def __init__(self, within: ExitStack) -> None:
        self.counts: list[int] = []
        self.crowd = Crowd(100, self.counts.append)
        self.loop = Loop()
        within.callback(self.loop.close)
        self._within = within
        self._web = SimpleNamespace(
            cfg=Config(),
            crowd=self.crowd,
            loop=self.loop,
            threads=SimpleNamespace(later=lambda task: task(), forget=lambda _: None),
            refused=Refused(lambda task: task()),
        )

    def connected(self) -> tuple[Connection, socket.socket]:
        """A connection and its peer's end."""
        ours, theirs = map(self._within.enter_context, socket.socketpair())
        connection = Connection(self._web, ours, ("127.0.0.1", 1), ("127.0.0.1", 2))
        self.crowd.add(connection)
        return connection, theirs

    def answered(
        self, after: After = After.KEEP, client: str | None = None
    ) -> tuple[Connection, socket.socket]:
        """One whose answer waits to be taken. `after`: what is next. `client`: whose it is."""
        connection, peer = self.connected()
        connection.holding.client = client
        connection._unwatch()  # as while it has a thread
        connection.outgoing.sendall(b"x" * _EACH)
        connection.outgoing.flush()
        connection.answered(after)
        return connection, peer


@pytest.fixture
def house() -> Iterator[House]:
    with ExitStack() as within:
        yield House(within)


def test_past_what_may_be_those_go_that_were_read_longest_ago(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.server.bounds.MOST_UNREAD", 3 * _EACH)
    first, second, third = (house.answered() for _ in range(3))
    assert {each[0].state for each in (first, second, third)} == {FLUSH}
    assert first[1].recv(500_000)
    house.loop.turn(1)
    while house.crowd.unread <= 3 * _EACH - second[0].outgoing.held:
        house.answered()
    house.answered()
    assert second[0].state == GONE, "nothing of it was taken"
    assert first[0].state == FLUSH, "some of it was"
    assert house.crowd.unread <= 3 * _EACH


def test_those_go_of_whoever_has_most(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.server.bounds.MOST_UNREAD", 4 * _EACH)
    lonely, _ = house.answered(client="lonely")
    many = [house.answered(client="many")[0] for _ in range(10)]
    assert lonely.state == FLUSH, "it was last read longest ago, and is all that its client has"
    assert many[0].state == GONE
    assert many[-1].state == FLUSH
    assert house.crowd.unread <= 4 * _EACH


def test_what_a_list_keeps_counts_as_long_as_it_waits(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.server.bounds.PAGE", 50 * _EACH)
    monkeypatch.setattr("app.server.bounds.MOST_UNREAD", 100 * _EACH)
    whole, _ = house.answered(client="other")
    first, _ = house.answered(After.MORE)
    assert house.crowd.unread == 50 * _EACH + sum(each.outgoing.held for each in (whole, first))
    second, _ = house.answered(After.MORE)
    assert (first.state, second.state) == (GONE, FLUSH)
    second.vanish(reset=True)
    assert house.crowd.unread == whole.outgoing.held


def read(peer: socket.socket, _: Connection) -> None:
    peer.setblocking(False)
    try:
        while peer.recv(1 << 20):
            pass
    except BlockingIOError:
        pass


def leave(peer: socket.socket, _: Connection) -> None:
    peer.close()


def break_off(_: socket.socket, connection: Connection) -> None:
    """The kernel takes some of it, and then finds that the peer has gone."""

    class Breaking:
        taken = False

        def send(self, data: Any) -> int:
            if self.taken:
                raise ConnectionResetError
            self.taken = True
            return min(1000, len(data))

    connection.outgoing._socket = Breaking()  # type: ignore[assignment]
    connection._writable()


@pytest.mark.parametrize("end", [read, leave, break_off])
def test_what_was_taken_or_dropped_counts_no_more(
    house: House, end: Callable[[socket.socket, Connection], None]
) -> None:
    kept, _ = house.answered()
    connection, peer = house.answered()
    for _ in range(100):
        end(peer, connection)
        house.loop.turn(0.01)
        if connection.state in (IDLE, GONE):
            break
    assert connection.state == (IDLE if end is read else GONE)
    assert house.crowd.unread == kept.outgoing.held > 0
    kept.vanish(reset=True)
    assert house.crowd.unread == 0
    assert house.counts[-1] == len(house.crowd) == (end is read)


def test_one_that_fails_is_its_own_fault_alone(house: House) -> None:
    called: list[int] = []

    def fail() -> None:
        called.append(1)
        raise ValueError("a connection's")

    house.loop.call(fail)
    house.loop.call(lambda: called.append(2))
    house.loop.turn(1)
    assert called == [1, 2]
