"""Whoever waits is let go when it is told that the batch has ended, and nobody looks for it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import UUID, uuid4

import pytest
from redis import Redis
from sqlalchemy import Engine

from app.batches.submission import Submission, accept
from app.batches.watching import BatchWatch
from app.clients.credentials import ClientSecret
from app.core.errors import NotFound
from app.core.settings import Settings
from app.events.notify import CHANNEL, notified, notify, notify_of_end
from handlers import Registry
from tests.batches.test_watching import END, change
from tests.support.clock import Clock
from tests.support.stack import wait_for
from tests.support.watches import Looks, held

NAME = "being-told"


@pytest.fixture
def redis(settings: Settings) -> Iterator[Redis]:
    """A connection of the test's own."""
    with Redis.from_url(settings.redis_url or "", client_name=NAME) as redis:
        yield redis


@pytest.fixture
def batch_id(engine: Engine, registry: Registry, client: ClientSecret) -> UUID:
    """A batch that has not ended."""
    return accept(
        engine, registry, Submission(client.client_id, "test.bulk", start="manual"), []
    ).batch_id


@contextmanager
def watching(engine: Engine, redis: Redis, clock: Clock) -> Iterator[tuple[BatchWatch, Looks]]:
    """A watch that hears what is told, and has somebody who waits: so it goes on."""
    watch = BatchWatch(engine, redis, most=10, clock=clock)
    looks = Looks(engine)
    other = uuid4()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(watch.wait, other, 90, ended=lambda: False)
        try:
            # Once it hears everything it looks, and finds that this one is not there.
            assert waiting.result(30)
            assert watch._hearing
            yield watch, looks
        finally:
            wait_for(lambda: not watch._listening and not watch._looking)


def test_whoever_waits_is_let_go_without_a_look(
    engine: Engine, redis: Redis, batch_id: UUID
) -> None:
    with watching(engine, redis, Clock()) as (watch, looks), ThreadPoolExecutor(5) as pool:
        before = looks.count
        waiting = [pool.submit(watch.wait, batch_id, 90, ended=lambda: False) for _ in range(5)]
        wait_for(lambda: held(watch) == (5, 0))
        notify_of_end(redis, uuid4())
        notify_of_end(redis, batch_id)
        # The clock stands still, so no moment to look has come.
        assert [each.result(30) for each in waiting] == [True] * 5
        assert looks.count == before
        assert watch._watches == {}


def test_what_ended_before_is_found_by_the_caller(
    engine: Engine, redis: Redis, batch_id: UUID
) -> None:
    with watching(engine, redis, Clock()) as (watch, _):
        assert watch.wait(batch_id, 90, ended=lambda: held(watch) == (1, 0)), "it is watched then"
        with pytest.raises(NotFound):
            watch.wait(batch_id, 90, ended=_raise)
        assert held(watch) == (0, 0)


def _raise() -> bool:
    raise NotFound("It is gone.")


def test_an_end_that_is_told_while_the_caller_looks_is_not_missed(
    engine: Engine, redis: Redis, batch_id: UUID
) -> None:
    with watching(engine, redis, Clock()) as (watch, _):

        def looks_too_soon() -> bool:
            notify_of_end(redis, batch_id)
            wait_for(lambda: batch_id not in watch._watches)
            return False

        assert watch.wait(batch_id, 90, ended=looks_too_soon)


def test_an_end_that_is_not_told_is_found_after_a_second(
    engine: Engine, redis: Redis, batch_id: UUID
) -> None:
    clock = Clock()
    with watching(engine, redis, clock) as (watch, looks), ThreadPoolExecutor(1) as pool:
        before = looks.count
        waiting = pool.submit(watch.wait, batch_id, 90, ended=lambda: False)
        wait_for(lambda: held(watch) == (1, 0))
        change(engine, batch_id, END)
        clock.forward(0.9)
        with pytest.raises(TimeoutError):
            waiting.result(1.2)
        assert looks.count == before
        clock.forward(0.1)
        assert waiting.result(30)
        assert looks.count == before + 1


def test_an_end_told_by_the_release_before_is_looked_for(
    engine: Engine, redis: Redis, batch_id: UUID
) -> None:
    """Its message only says that something has changed."""
    clock = Clock()
    with watching(engine, redis, clock) as (watch, looks), ThreadPoolExecutor(1) as pool:
        before = looks.count
        waiting = pool.submit(watch.wait, batch_id, 90, ended=lambda: False)
        wait_for(lambda: held(watch) == (1, 0))
        change(engine, batch_id, END)
        redis.publish(CHANNEL, batch_id.bytes)
        wait_for(lambda: watch._watches[batch_id].look_at < clock() + 0.2)
        assert looks.count == before, "not more often than ten times a second"
        clock.forward(0.1)
        assert waiting.result(30)
        assert looks.count == before + 1


def test_the_release_before_is_told_in_its_own_words(redis: Redis) -> None:
    batch_id = uuid4()
    with redis.pubsub(ignore_subscribe_messages=True) as calls:
        calls.subscribe(CHANNEL)
        wait_for(lambda: calls.get_message(timeout=0.1) is None)
        notify_of_end(redis, batch_id)
        notify(redis, batch_id)
        told = [wait_for(lambda: calls.get_message(timeout=1))["data"] for _ in range(3)]
    assert [notified(message) for message in told] == [
        (batch_id, True),
        (batch_id, False),
        (batch_id, False),
    ]
    # It takes what has 16 bytes, and passes over anything else.
    assert [len(message) for message in told] == [17, 16, 16]


def test_whoever_follows_sees_the_end_in_its_turn(
    engine: Engine, redis: Redis, batch_id: UUID
) -> None:
    clock = Clock()
    with (
        watching(engine, redis, clock) as (watch, _),
        ThreadPoolExecutor(1) as pool,
        watch.follow(batch_id) as following,
    ):
        assert following is not None
        assert following.next(30) is not None
        waiting = pool.submit(watch.wait, batch_id, 90, ended=lambda: False)
        wait_for(lambda: held(watch) == (1, 1))
        change(engine, batch_id, END)
        notify_of_end(redis, batch_id)
        assert waiting.result(30), "at once"
        assert following.next(1.2) is None, "four times a second at most"
        clock.forward(0.25)
        last = following.next(30)
        assert last is not None
        assert last.ended


def test_a_connection_that_was_lost_is_made_up_for(
    engine: Engine, redis: Redis, batch_id: UUID
) -> None:
    with watching(engine, redis, Clock()) as (watch, looks), ThreadPoolExecutor(1) as pool:
        before = looks.count
        waiting = pool.submit(watch.wait, batch_id, 90, ended=lambda: False)
        wait_for(lambda: held(watch) == (1, 0))
        # Its end is told while nobody hears it.
        change(engine, batch_id, END)
        for connection in redis.client_list(_type="pubsub"):
            if connection["name"] == NAME:
                redis.client_kill(connection["addr"])
        assert waiting.result(30), "though the clock stands still"
        assert looks.count == before + 1
