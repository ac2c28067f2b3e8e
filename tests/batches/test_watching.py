"""One look for all who watch: called, or not called."""

from __future__ import annotations

import threading
import time
from uuid import UUID, uuid4

import pytest
from redis import Redis
from sqlalchemy import Engine, text

from app.batches import watching
from app.batches.submission import Submission, accept
from app.batches.watching import BatchWatch
from app.clients.credentials import ClientSecret
from app.core.settings import Settings
from app.db import transaction
from app.events.notify import CHANNEL, notified, notify
from handlers import Registry
from tests.support.stack import wait_for


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


def test_a_call_brings_a_look(
    engine: Engine, settings: Settings, batch_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis = Redis.from_url(settings.redis_url or "")
    monkeypatch.setattr(watching.WatchedBatch, "next_look", lambda _, now: now + 60)
    watch = BatchWatch(engine, redis, most=5)
    with watch.follow(batch_id) as following:
        assert following is not None
        assert following.next(5) is not None
        wait_for(lambda: redis.pubsub_numsub(CHANNEL)[0][1], within=5)
        change(engine, batch_id, "name = 'renamed'")
        assert following.next(0.3) is None, "nobody called"
        redis.publish(CHANNEL, b"no batch")
        notify(redis, batch_id)
        renamed = following.next(5)
        assert renamed is not None
        assert renamed.name == "renamed"


def test_a_redis_that_is_away_only_delays(engine: Engine, batch_id: UUID) -> None:
    nowhere = Redis(port=1, socket_connect_timeout=0.2)
    watch = BatchWatch(engine, nowhere, most=5)
    threading.Timer(0.2, change, (engine, batch_id, END)).start()
    assert watch.wait(batch_id, 5)


def test_what_does_not_end_is_waited_for_as_long_as_said(engine: Engine, batch_id: UUID) -> None:
    watch = BatchWatch(engine, most=5)
    begun = time.monotonic()
    assert not watch.wait(batch_id, 0.3)
    assert 0.25 < time.monotonic() - begun < 2
    assert watch.wait(uuid4(), 5), "what is not there has ended"


def test_there_are_only_so_many_places(engine: Engine, batch_id: UUID) -> None:
    watch = BatchWatch(engine, most=1)
    with watch.follow(batch_id) as following:
        assert following is not None
        begun = time.monotonic()
        assert not watch.wait(batch_id, 5)
        with watch.follow(batch_id) as second:
            assert second is None
        assert time.monotonic() - begun < 1
    assert not watch.wait(batch_id, 0.01)


def test_everybody_is_let_go_when_the_process_stops(engine: Engine, batch_id: UUID) -> None:
    alive = threading.Event()
    alive.set()
    watch = BatchWatch(engine, most=5, alive=alive.is_set)
    let_go: list[bool] = []

    def follow() -> None:
        with watch.follow(batch_id) as following:
            assert following is not None
            following.next(5)
            following.next(30)
            let_go.append(following.over)

    threads = [
        threading.Thread(target=lambda: let_go.append(not watch.wait(batch_id, 30))),
        threading.Thread(target=follow),
    ]
    for thread in threads:
        thread.start()
    alive.clear()
    for thread in threads:
        thread.join(5)
    assert let_go == [True, True]


def test_those_who_wait_and_those_who_follow_share_a_look(engine: Engine, batch_id: UUID) -> None:
    watch = BatchWatch(engine, most=50)
    ended: list[bool] = []
    waiting = [
        threading.Thread(target=lambda: ended.append(watch.wait(batch_id, 10))) for _ in range(20)
    ]
    with watch.follow(batch_id) as following:
        assert following is not None
        for thread in waiting:
            thread.start()
        following.next(5)
        change(engine, batch_id, END)
        last = following.next(5)
        assert last is not None
        assert last.ended
    for thread in waiting:
        thread.join(5)
    assert ended == [True] * 20
    assert watch._watches == {}


def test_a_message_names_its_batch() -> None:
    batch_id = uuid4()
    assert notified(batch_id.bytes) == batch_id
    assert notified(b"") is None
