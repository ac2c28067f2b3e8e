"""?wait=: the answer is held, and nothing else is."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, event, text

from app.batches.watching import BatchWatch
from app.core.settings import Settings
from app.db import make_engine
from tests.api.conftest import Caller
from tests.support.stack import wait_for


def end(engine: Engine, batch_id: str) -> None:
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE batches SET status = 'CANCELED', finished_at = now() WHERE id = :id"),
            {"id": batch_id},
        )


def waiting(watch: BatchWatch) -> int:
    return sum(each.waiting for each in watch._watches.values())


def test_the_answer_is_held_until_the_batch_ends(api: Caller, engine: Engine) -> None:
    batch_id = api.opened()
    ender = threading.Timer(0.5, end, (engine, batch_id))
    ender.start()
    began = time.monotonic()
    batch = api.get(f"/v1/batches/{batch_id}?wait=20").json
    assert batch["status"] == "CANCELED"
    assert 0.4 < time.monotonic() - began < 5
    ender.join()


def test_or_until_the_time_has_passed(api: Caller) -> None:
    batch_id = api.opened()
    began = time.monotonic()
    assert api.get(f"/v1/batches/{batch_id}?wait=1").json["status"] == "OPEN"
    assert 0.9 < time.monotonic() - began < 5


def test_what_has_ended_is_answered_at_once(api: Caller, engine: Engine) -> None:
    batch_id = api.opened()
    end(engine, batch_id)
    began = time.monotonic()
    assert api.get(f"/v1/batches/{batch_id}?wait=60").json["status"] == "CANCELED"
    assert time.monotonic() - began < 5


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
def watched(settings: Settings) -> Any:
    """An engine of one connection, and the statements that go over it."""
    engine = make_engine(settings.database_url or "", name="watch", pool_size=1)
    said: list[str] = []

    @event.listens_for(engine, "after_cursor_execute")
    def note(*arguments: Any) -> None:
        said.append(arguments[2])

    yield engine, said
    engine.dispose()


def test_many_wait_at_the_cost_of_one(api: Caller, engine: Engine, watched: Any) -> None:
    narrow, said = watched
    watch = BatchWatch(narrow, most=60)
    ids = [api.opened() for _ in range(20)]
    with ThreadPoolExecutor(60) as pool:
        held = [pool.submit(watch.wait, UUID(ids[number % 20]), 20) for number in range(60)]
        wait_for(lambda: waiting(watch) == 60, within=10)
        assert narrow.pool.checkedout() <= 1
        for batch_id in ids[:19]:
            end(engine, batch_id)
        assert all(held[number].result(10) for number in range(60) if number % 20 != 19)
        before = len(said)
        time.sleep(1)
        assert len(said) - before < 40  # one statement a look, for all who are left
        assert not any(each.done() for each in held[19::20])
        end(engine, ids[19])
        assert all(each.result(10) for each in held)
    wait_for(lambda: not watch._looking, within=5)


def test_those_who_wait_do_not_take_every_thread(api: Caller, engine: Engine) -> None:
    watch = BatchWatch(engine, most=1)
    first = UUID(api.opened())
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(watch.wait, first, 20)
        wait_for(lambda: waiting(watch) == 1, within=5)
        began = time.monotonic()
        assert not watch.wait(UUID(api.opened()), 20)
        assert time.monotonic() - began < 2
        end(engine, str(first))
        assert held.result(10)
        assert watch.wait(first, 20)


def test_a_batch_that_is_gone_holds_nobody(engine: Engine) -> None:
    assert BatchWatch(engine, most=1).wait(uuid4(), 10)


def test_a_look_that_fails_is_made_again(
    api: Caller, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = api.opened()
    watch = BatchWatch(engine, most=2)
    monkeypatch.setattr("app.batches.watching._AFTER_TROUBLE", 0.01)
    with ThreadPoolExecutor(1) as pool:
        away = make_engine("postgresql+psycopg2://postgres@127.0.0.1:1/none", name="away")
        monkeypatch.setattr(watch, "_engine", away)
        held = pool.submit(watch.wait, UUID(batch_id), 20)
        wait_for(lambda: waiting(watch) == 1, within=5)
        time.sleep(0.1)
        assert not held.done()
        monkeypatch.setattr(watch, "_engine", engine)
        end(engine, batch_id)
        assert held.result(10)
