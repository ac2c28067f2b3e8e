"""Where the system starts no more threads: what has a place still gives it back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from uuid import uuid4

from redis import Redis
from sqlalchemy import Engine

from app.batches.watching import BatchWatch
from app.core.settings import Settings
from app.server.at_work import AtWork
from app.server.loop import Loop
from app.server.places import Place, Places
from app.web.places import Places as Leases


@contextmanager
def no_more_threads() -> Iterator[None]:
    """Each would need more memory than there are addresses."""
    before = threading.stack_size(1 << 47)
    try:
        yield
    finally:
        threading.stack_size(before)


def test_what_waits_for_a_thread_gets_one_that_comes_free() -> None:
    loop, places = Loop(), Places(2, 2)
    go_on, done = threading.Event(), threading.Semaphore(0)
    threads = AtWork(SimpleNamespace(loop=loop), 4)

    def hold() -> None:
        go_on.wait()

    def begin(place: Place) -> None:
        def work() -> None:
            places.leave(place)
            done.release()

        threads.later(work)

    threads.later(hold)
    with no_more_threads():
        for _ in range(10):
            places.ask("a", begin)
        go_on.set()
        for _ in range(10):
            assert done.acquire(timeout=20)
    threads.end()
    loop.close()
    assert all(places.ask("a", lambda _: None).held for _ in range(2))


def test_a_lease_is_taken_and_renewed_once_there_are_threads(settings: Settings) -> None:
    client_id = uuid4()
    with Redis.from_url(settings.redis_url or "") as redis:
        leases = Leases(redis, "streamsAtOnce")
        with no_more_threads():
            first = leases.take(client_id, 2)
        assert not leases._renewing
        second = leases.take(client_id, 2)
        assert leases._renewing
        for each in (first, second):
            each.give_back()
        assert leases.count(client_id) == 0


def test_who_waits_for_a_batch_waits_and_the_next_is_looked_for(engine: Engine) -> None:
    watch, nothing = BatchWatch(engine, most=5), uuid4()
    with no_more_threads():
        assert not watch.wait(nothing, 0.1)
    assert watch.wait(nothing, 30), "it is looked for: there is no such batch"
