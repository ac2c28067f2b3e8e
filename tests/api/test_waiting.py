"""?wait=: the answer is held, and nothing else is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine, text
from structlog.testing import capture_logs

from app.batches.watching import BatchWatch
from app.core.settings import Settings
from app.db import make_engine
from app.web.watch import batch_watch
from tests.api.conftest import Caller
from tests.support.clock import Clock
from tests.support.stack import wait_for
from tests.support.watches import Looks, has_looked, held


def end(engine: Engine, batch_id: str) -> None:
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE batches SET status = 'CANCELED', finished_at = now() WHERE id = :id"),
            {"id": batch_id},
        )


@pytest.fixture
def watch(app: Flask) -> BatchWatch:
    """The application's own."""
    with app.app_context():
        return batch_watch()


def test_the_answer_is_held_until_the_batch_ends(
    api: Caller, engine: Engine, watch: BatchWatch
) -> None:
    batch_id = api.opened()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(api.get, f"/v1/batches/{batch_id}?wait=60")
        wait_for(lambda: held(watch) == (1, 0), within=30)
        assert not answer.done()
        end(engine, batch_id)
        # Long before the minute has passed.
        assert answer.result(30).json["status"] == "CANCELED"


def test_or_until_the_time_has_passed(api: Caller, engine: Engine, watch: BatchWatch) -> None:
    batch_id = api.opened()
    with ThreadPoolExecutor(1) as pool:
        longer = pool.submit(api.get, f"/v1/batches/{batch_id}?wait=60")
        wait_for(lambda: held(watch) == (1, 0), within=30)
        began = time.monotonic()
        assert api.get(f"/v1/batches/{batch_id}?wait=1").json["status"] == "OPEN"
        assert time.monotonic() - began >= 1
        assert held(watch) == (1, 0), "whoever would wait longer still does"
        assert not longer.done()
        end(engine, batch_id)
        assert longer.result(30).json["status"] == "CANCELED"


@pytest.mark.timeout(50)  # sooner than the answer would come that is not given at once
def test_what_has_ended_is_answered_at_once(api: Caller, engine: Engine) -> None:
    batch_id = api.opened()
    end(engine, batch_id)
    assert api.get(f"/v1/batches/{batch_id}?wait=60").json["status"] == "CANCELED"


@pytest.mark.parametrize("wait", ["61", "-1", "x", "1.5", ""])
def test_how_long_it_may_be(api: Caller, wait: str) -> None:
    answer = api.get(f"/v1/batches/{api.opened()}?wait={wait}")
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "/wait"


def test_the_limit_is_the_operators(small: Caller) -> None:
    batch_id = small.opened()
    assert small.get(f"/v1/batches/{batch_id}?wait=2").status_code == 422
    assert small.get(f"/v1/batches/{batch_id}?wait=1").status_code == 200


@pytest.fixture
def narrow(settings: Settings) -> Iterator[Engine]:
    """An engine of one connection."""
    engine = make_engine(settings.database_url or "", name="watch", pool_size=1)
    yield engine
    engine.dispose()


def test_many_wait_at_the_cost_of_one(api: Caller, engine: Engine, narrow: Engine) -> None:
    clock = Clock()
    looks = Looks(narrow)
    watch = BatchWatch(narrow, most=60, clock=clock)
    ids = [api.opened() for _ in range(20)]
    with ThreadPoolExecutor(60) as pool:
        waiting = [pool.submit(watch.wait, UUID(ids[number % 20]), 60) for number in range(60)]
        wait_for(lambda: held(watch) == (60, 0))
        # The clock stands still: nobody has looked yet, and each second that passes is one look.
        for _ in range(5):
            clock.forward(1)
            wait_for(lambda: has_looked(watch, clock()))
        for batch_id in ids[:10]:
            end(engine, batch_id)
        clock.forward(1)
        ended = [number for number in range(60) if number % 20 < 10]
        assert all(waiting[number].result(30) for number in ended)
        assert held(watch) == (30, 0)
        assert not any(waiting[number].done() for number in range(60) if number not in ended)
        for batch_id in ids[10:]:
            end(engine, batch_id)
        clock.forward(1)
        assert all(each.result(30) for each in waiting)
    assert looks.count == 7, "one a second for all of them"
    assert looks.threads == {"batch-watch"}
    wait_for(lambda: not watch._looking)


@pytest.mark.timeout(60)  # sooner than those would be let go who are held against the rule
def test_those_who_wait_do_not_take_every_thread(api: Caller, engine: Engine) -> None:
    watch = BatchWatch(engine, most=1)
    first = UUID(api.opened())
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(watch.wait, first, 90)
        wait_for(lambda: held(watch) == (1, 0))
        assert not watch.wait(UUID(api.opened()), 90)
        end(engine, str(first))
        assert waiting.result(30)
        assert watch.wait(first, 90)


@pytest.mark.timeout(60)
def test_a_batch_that_is_gone_holds_nobody(engine: Engine) -> None:
    assert BatchWatch(engine, most=1).wait(uuid4(), 90)


def test_a_look_that_fails_is_made_again(
    api: Caller, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = api.opened()
    away = make_engine("postgresql+psycopg2://postgres@127.0.0.1:1/none", name="away")
    clock = Clock()
    watch = BatchWatch(away, most=2, clock=clock)
    with ThreadPoolExecutor(1) as pool, capture_logs() as logs:
        waiting = pool.submit(watch.wait, UUID(batch_id), 90)
        wait_for(lambda: held(watch) == (1, 0))
        clock.forward_until(lambda: len(logs) >= 3)
        assert {entry["event"] for entry in logs} == {"watch.look_failed"}
        assert not waiting.done()
        monkeypatch.setattr(watch, "_engine", engine)
        end(engine, batch_id)
        clock.forward_until(waiting.done)
        assert waiting.result()
