"""Handing work to the broker: whoever submits does not wait for one that does not react."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis, TimeoutError
from redis.backoff import NoBackoff
from redis.retry import Retry
from structlog.testing import capture_logs

from app.core.settings import load_settings
from app.local.servers import Server, start_valkey
from app.messaging.broker import FAST_QUEUE, SLOW_QUEUE, turn_queue
from app.messaging.bursts import ENOUGH
from app.messaging.dispatch import Dispatcher
from tests.chaos.machine import below
from tests.support.application import close_dispatcher
from tests.support.processes import frozen

pytestmark = pytest.mark.usefixtures("own_processes")


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own."""
    with start_valkey(tmp_path) as server:
        yield server


@pytest.fixture
def sender(valkey: Server) -> Iterator[Callable[..., Dispatcher]]:
    """Makes senders to that server; `clock` as they have it."""
    made: list[Dispatcher] = []

    def make(**options: Any) -> Dispatcher:
        made.append(Dispatcher(load_settings({"REDIS_URL": valkey.url}), **options))
        return made[-1]

    yield make
    for one in made:
        close_dispatcher(one)


class _Later:
    """The real clock, put forward as the test likes."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


def _seconds(what: Callable[[], object]) -> float:
    began = time.monotonic()
    what()
    return time.monotonic() - began


def test_a_broker_that_hangs_is_given_up_soon_and_then_left_alone(
    valkey: Server, sender: Callable[..., Dispatcher]
) -> None:
    clock = _Later()
    dispatcher = sender(clock=clock)
    assert dispatcher.advance(uuid4())
    with (
        frozen(below(valkey.guarded.process.pid)),
        Redis.from_url(valkey.url, socket_timeout=1, retry=Retry(NoBackoff(), 0)) as patient,
        capture_logs() as logs,
    ):

        def second_long_wait() -> None:
            with pytest.raises(TimeoutError):
                patient.ping()

        # What one wait of a second takes here, on a machine that may be busy.
        one = _seconds(second_long_wait)
        sent: list[bool] = []
        assert _seconds(lambda: sent.append(dispatcher.advance(uuid4()))) < 4 * one
        sent.append(dispatcher.advance(uuid4()))
        clock.ahead = 4.0
        sent.append(dispatcher.advance(uuid4()))
    assert sent == [False, False, False]
    # One of the three was tried; the others waited for nothing at all.
    told = [entry["event"] for entry in logs]
    assert told == ["dispatch.failed", "dispatch.left_to_the_sweep", "dispatch.left_to_the_sweep"]


def test_a_broker_that_is_back_is_spoken_to_again(
    valkey: Server, sender: Callable[..., Dispatcher]
) -> None:
    clock = _Later()
    dispatcher = sender(clock=clock)
    with frozen(below(valkey.guarded.process.pid)):
        assert not dispatcher.advance(uuid4())
    assert not dispatcher.advance(uuid4()), "it is left alone for some seconds"
    with Redis.from_url(valkey.url) as redis:
        before = redis.llen(turn_queue(FAST_QUEUE))
        clock.ahead = 5.0
        assert dispatcher.advance(uuid4())
        assert redis.llen(turn_queue(FAST_QUEUE)) == before + 1


def test_a_connection_that_was_closed_meanwhile_is_not_a_broker_that_is_away(
    valkey: Server, sender: Callable[..., Dispatcher]
) -> None:
    dispatcher = sender()
    assert dispatcher.advance(uuid4())
    valkey.stop()
    valkey.revive()
    assert dispatcher.advance(uuid4())


def test_messages_are_sent_by_one_client(
    sender: Callable[..., Dispatcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    dispatcher = sender()
    assert dispatcher.advance(uuid4())
    made: list[object] = []
    begin = Redis.__init__

    def note(self: Redis, *args: Any, **options: Any) -> None:
        made.append(self)
        begin(self, *args, **options)

    monkeypatch.setattr(Redis, "__init__", note)
    for _ in range(3):
        assert dispatcher.advance(uuid4())
    assert made == []


def test_of_many_that_stand_in_line_few_are_told(
    valkey: Server, sender: Callable[..., Dispatcher]
) -> None:
    dispatcher = sender()
    queue = turn_queue(FAST_QUEUE)
    with Redis.from_url(valkey.url) as redis:
        for _ in range(300):
            assert dispatcher.in_line(uuid4(), FAST_QUEUE)
        waiting = redis.llen(queue)
        assert ENOUGH <= waiting < 60
        # A worker has taken them all: the next one is told at once, burst or not.
        redis.delete(queue)
        assert dispatcher.in_line(uuid4(), FAST_QUEUE)
        assert redis.llen(queue) == 1
        # What asks for one certain batch, or for workers that have other messages too, is sent.
        for _ in range(60):
            assert dispatcher.advance(uuid4())
            assert dispatcher.in_line(uuid4(), SLOW_QUEUE)
        assert (redis.llen(queue), redis.llen(SLOW_QUEUE)) == (61, 60)


def test_of_few_each_is_told_and_nobody_is_asked(
    valkey: Server, sender: Callable[..., Dispatcher]
) -> None:
    clock = _Later()
    dispatcher = sender(clock=clock)
    with Redis.from_url(valkey.url) as redis:
        assert dispatcher.in_line(uuid4(), FAST_QUEUE)
        redis.config_resetstat()
        for _ in range(40):
            clock.ahead += 0.1
            assert dispatcher.in_line(uuid4(), FAST_QUEUE)
        asked: dict[str, Any] = redis.info("commandstats")
        assert redis.llen(turn_queue(FAST_QUEUE)) == 41
    assert "cmdstat_llen" not in asked


def test_a_broker_that_cannot_be_asked_is_told(sender: Callable[..., Dispatcher]) -> None:
    dispatcher = sender()
    dispatcher._bursts._redis = Redis.from_url("redis://127.0.0.1:1/0")
    assert all(dispatcher.in_line(uuid4(), FAST_QUEUE) for _ in range(40))
