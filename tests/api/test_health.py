"""/healthz and /readyz."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text

from app.core.ids import new_id
from app.core.settings import Settings, load_settings
from app.db import make_engine
from app.db.migrations import upgrade
from app.local.servers.ports import free_port
from tests.api.conftest import Caller
from tests.conftest import fresh_database
from tests.support.application import application


@pytest.fixture
def worker(engine: Engine) -> Iterator[None]:
    """A worker that has just said that it lives."""
    named = {"id": new_id()}
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO workers (id, hostname, pid, queue, slots) "
                "VALUES (:id, 'here', 1, 'none', 1)"
            ),
            named,
        )
    yield
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM workers WHERE id = :id"), named)


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


def test_without_a_worker(settings: Settings, postgres_url: str) -> None:
    # A database of its own: a stack may be running on the session's.
    with fresh_database(postgres_url) as url:
        engine = make_engine(url, name="batchline-tests")
        upgrade(engine)
        engine.dispose()
        alone = load_settings({"DATABASE_URL": url}).database_url
        assert missing(replace(settings, database_url=alone)) == "Missing: a live worker."


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
