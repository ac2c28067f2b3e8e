"""/healthz and /readyz."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from app.api.health import Probes
from app.core.ids import new_id
from app.core.settings import Settings
from app.local.servers.ports import free_port
from tests.api.conftest import Caller
from tests.conftest import engine_of_its_own
from tests.support.application import application


@contextmanager
def live(engine: Engine, taken: list[str], **columns: Any) -> Iterator[None]:
    """A worker that has just said that it lives, and takes from those queues."""
    named = {"id": new_id(), "queues": taken, "queue": taken[0], **columns}
    names = ", ".join(named)
    values = ", ".join(f":{name}" for name in named)
    with engine.begin() as connection:
        connection.execute(
            text(
                f"""INSERT INTO workers (hostname, pid, slots, {names})
                    VALUES ('here', 1, 1, {values})"""
            ),
            named,
        )
    yield
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM workers WHERE id = :id"), {"id": named["id"]})


@pytest.fixture
def worker(engine: Engine) -> Iterator[None]:
    """A worker for every queue."""
    with live(engine, ["control", "express", "fast", "slow"]):
        yield


@pytest.fixture(scope="module")
def own_engine(postgres_url: str) -> Iterator[Engine]:
    """A database of its own: a stack may be running on the session's."""
    with engine_of_its_own(postgres_url) as engine:
        yield engine


@pytest.fixture
def alone(settings: Settings, own_engine: Engine) -> Settings:
    """Settings for that database."""
    return replace(settings, database_url=own_engine.url.render_as_string(hide_password=False))


def missing(settings: Settings) -> str:
    """What /readyz says is missing, within three seconds."""
    with application(settings) as app:
        began = time.monotonic()
        answer = Caller(app, None).get("/readyz")
        assert time.monotonic() - began < 3
    assert answer.status_code in (200, 503)
    if answer.status_code == 503:
        assert "Retry-After" in answer.headers
    return "" if answer.status_code == 200 else str(answer.json["detail"])


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_with_everything_there_it_is_ready(settings: Settings, worker: None) -> None:
    assert missing(settings) == ""


def test_without_a_worker(alone: Settings) -> None:
    assert missing(alone) == "Missing: a worker for fast, a worker for slow."


def test_a_queue_that_an_operation_needs_and_nobody_takes_from_is_named(
    alone: Settings, own_engine: Engine
) -> None:
    with live(own_engine, ["control", "express", "fast"]):
        assert missing(alone) == "Missing: a worker for slow."
        with live(own_engine, ["slow"]):
            assert missing(alone) == ""
    with live(own_engine, ["slow", "control"]):
        assert missing(alone) == "Missing: a worker for fast."


def test_a_worker_of_the_release_before_takes_what_its_kind_does(
    alone: Settings, own_engine: Engine
) -> None:
    with live(own_engine, ["fast"], queues=None), live(own_engine, ["slow"], queues=None):
        assert missing(alone) == ""


def test_a_worker_that_takes_nothing_is_none(alone: Settings, own_engine: Engine) -> None:
    now = datetime.now(UTC)
    queues = ["control", "express", "fast", "slow"]
    with live(own_engine, queues, starving_since=now - timedelta(seconds=25)):
        assert missing(alone) == "", "not for long enough yet"
    with live(own_engine, queues, starving_since=now - timedelta(seconds=35)):
        assert missing(alone) == "Missing: a worker for fast, a worker for slow."


def test_without_the_broker(settings: Settings, worker: None, silent: int) -> None:
    for port in (free_port(), silent):
        for scheme in ("redis", "amqp"):
            away = replace(settings, explicit_broker_url=f"{scheme}://127.0.0.1:{port}/0")
            assert missing(away) == "Missing: the broker."


def test_without_postgres(settings: Settings, silent: int) -> None:
    for port in (free_port(), silent):
        url = f"postgresql+psycopg2://nobody@127.0.0.1:{port}/none"
        assert missing(replace(settings, database_url=url)) == ("Missing: Postgres, a live worker.")


def test_the_process_answers_whatever_is_missing(settings: Settings, silent: int) -> None:
    url = f"postgresql+psycopg2://nobody@127.0.0.1:{silent}/none"
    away = replace(settings, database_url=url, redis_url=f"redis://127.0.0.1:{silent}/0")
    with application(away) as app:
        answer = Caller(app, None).get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_however_many_ask_the_broker_is_asked_once_a_second(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody needs credentials for it, so nobody may make the servers busy by it."""
    asked = {"Postgres": 0, "the broker": 0, "a live worker": 0}
    monkeypatch.setattr("app.api.health._KEPT_SECONDS", 60.0)
    begin = Probes._begin

    def counted(probes: Probes, name: str) -> Future[list[str]]:
        asked[name] += 1
        return begin(probes, name)

    monkeypatch.setattr(Probes, "_begin", counted)
    with application(settings) as app, ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: Caller(app, None).get("/readyz"), range(200)))
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert len({answer.data for answer in answers}) == 1
    assert asked == {"Postgres": 1, "the broker": 1, "a live worker": 1}
