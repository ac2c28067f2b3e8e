"""One look for all who watch: called, or not called."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import Engine, text
from structlog.testing import capture_logs

from app.batches.submission import Submission, accept
from app.batches.watching import BatchWatch
from app.clients.credentials import ClientSecret
from app.core.settings import Settings
from app.db import transaction
from app.events.notify import CHANNEL, notified, notify
from handlers import Registry
from tests.support.clock import Clock
from tests.support.stack import wait_for
from tests.support.watches import Looks, has_looked, held


@pytest.fixture
def batch_id(engine: Engine, registry: Registry, client: ClientSecret) -> UUID:
    submission = Submission(client.client_id, "test.bulk", start="manual")
    return accept(engine, registry, submission, []).batch_id


def change(engine: Engine, batch_id: UUID, what: str) -> None:
    with transaction(engine) as connection:
        connection.execute(
            text(f"UPDATE batches SET {what}, revision = revision + 1 WHERE id = :id"),
            {"id": batch_id},
        )


END = "status = 'CANCELED', finished_at = now()"


def test_without_calls_the_rows_are_looked_at(engine: Engine, batch_id: UUID) -> None:
    watch = BatchWatch(engine, most=5)
    with watch.follow(batch_id) as following:
        assert following is not None
        first = following.next(5)
        assert first is not None
        assert first.name is None
        assert following.next(0.05) is None, "nothing has changed"
        change(engine, batch_id, "name = 'renamed'")
        renamed = following.next(5)
        assert renamed is not None
        assert renamed.name == "renamed"
        change(engine, batch_id, END)
        ended = following.next(5)
        assert ended is not None
        assert ended.ended


def test_a_call_brings_a_look(engine: Engine, settings: Settings, batch_id: UUID) -> None:
    clock = Clock()
    with Redis.from_url(settings.redis_url or "") as redis:
        watch = BatchWatch(engine, redis, most=5, clock=clock)
        with watch.follow(batch_id) as following:
            assert following is not None
            assert following.next(30) is not None
            wait_for(lambda: redis.pubsub_numsub(CHANNEL)[0][1])
            # After a while it would look once a second; a quarter of one is not enough for that.
            clock.forward(100)
            wait_for(lambda: has_looked(watch, clock()))
            change(engine, batch_id, "name = 'renamed'")
            clock.forward(0.5)
            redis.publish(CHANNEL, b"no batch")
            notify(redis, uuid4())
            assert following.next(1.5) is None, "nobody called"
            notify(redis, batch_id)
            renamed = following.next(30)
            assert renamed is not None
            assert renamed.name == "renamed"
        wait_for(lambda: not watch._listening)


def test_a_redis_that_is_away_only_delays(engine: Engine, batch_id: UUID) -> None:
    nowhere = Redis(port=1, retry=Retry(NoBackoff(), 0))
    with nowhere, capture_logs() as logs:
        watch = BatchWatch(engine, nowhere, most=5)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(watch.wait, batch_id, 90)
            wait_for(lambda: {"watch.not_listening"} <= {entry["event"] for entry in logs})
            assert held(watch) == (1, 0)
            change(engine, batch_id, END)
            assert waiting.result(30)
        wait_for(lambda: not watch._listening)


def test_what_does_not_end_is_waited_for_as_long_as_said(engine: Engine, batch_id: UUID) -> None:
    watch = BatchWatch(engine, most=5)
    with ThreadPoolExecutor(1) as pool:
        longer = pool.submit(watch.wait, batch_id, 90)
        wait_for(lambda: held(watch) == (1, 0))
        begun = time.monotonic()
        assert not watch.wait(batch_id, 0.3)
        assert time.monotonic() - begun >= 0.3
        assert held(watch) == (1, 0), "whoever would wait longer still does"
        change(engine, batch_id, END)
        assert longer.result(30)


@pytest.mark.timeout(60)  # sooner than those would be let go who are held against the rule
def test_there_are_only_so_many_places(engine: Engine, batch_id: UUID) -> None:
    watch = BatchWatch(engine, most=1)
    with watch.follow(batch_id) as following:
        assert following is not None
        assert not watch.wait(batch_id, 90)
        with watch.follow(batch_id) as second:
            assert second is None
        assert held(watch) == (0, 1)
    # The place is free again, for whoever waits and then for whoever follows.
    change(engine, batch_id, END)
    assert watch.wait(batch_id, 90)
    with watch.follow(batch_id) as another:
        assert another is not None


def test_everybody_is_let_go_when_the_process_stops(engine: Engine, batch_id: UUID) -> None:
    alive = threading.Event()
    alive.set()
    watch = BatchWatch(engine, most=5, alive=alive.is_set)

    def follow() -> bool:
        with watch.follow(batch_id) as following:
            assert following is not None
            assert following.next(30) is not None
            seen.set()
            assert following.next(90) is None
            return following.over

    seen = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(watch.wait, batch_id, 90)
        follower = pool.submit(follow)
        assert seen.wait(30)
        wait_for(lambda: held(watch) == (1, 1))
        assert not waiting.done()
        assert not follower.done()
        alive.clear()
        assert waiting.result(30) is False, "it has not ended"
        assert follower.result(30) is True


def test_those_who_wait_and_those_who_follow_share_a_look(engine: Engine, batch_id: UUID) -> None:
    clock = Clock()
    looks = Looks(engine)
    watch = BatchWatch(engine, most=50, clock=clock)
    with ThreadPoolExecutor(20) as pool, watch.follow(batch_id) as following:
        assert following is not None
        assert following.next(30) is not None
        waiting = [pool.submit(watch.wait, batch_id, 90) for _ in range(20)]
        wait_for(lambda: held(watch) == (20, 1))
        change(engine, batch_id, END)
        before = looks.count
        assert not any(each.done() for each in waiting)
        clock.forward(10)
        last = following.next(30)
        assert last is not None
        assert last.ended
        assert [each.result(30) for each in waiting] == [True] * 20
        assert looks.count == before + 1
        assert looks.threads == {"batch-watch"}
    assert watch._watches == {}


def test_a_message_names_its_batch() -> None:
    batch_id = uuid4()
    assert notified(batch_id.bytes) == (batch_id, False)
    assert notified(batch_id.bytes + b"\x01") == (batch_id, True)
    assert notified(batch_id.bytes + b"\x02") is None
    assert notified(b"") is None
