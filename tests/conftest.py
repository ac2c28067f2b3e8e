"""Real servers for every test: embedded ones of the session's own, unless TEST_*_URL names others.

A service that cannot be had fails the tests; nothing here skips.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from redis import Redis
from sqlalchemy import Engine, make_url, text

from app.clients.credentials import ClientSecret, create_client
from app.core.settings import Settings, load_settings
from app.db import make_engine
from app.db.migrations import upgrade
from app.local.servers import start_postgres, start_valkey
from handlers import Registry
from handlers.load import load_handlers
from tests.support.processes import none_left_behind
from tests.support.stack import Stack, running_stack

# What a developer's shell has set must not change what the tests see.
_OURS = set(Settings.__dataclass_fields__) | {"broker_url"}
TEST_HANDLERS = "tests.support.handlers"


# What a test needs says what kind it is; only `slow`, `whole` and `long` are given by hand.
_MARKS = {
    "postgres_url": "postgres",
    "redis_url": "redis",
    "stack": "stack",
    "own_processes": "processes",
}


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by the fixtures that it uses, directly or through others.

    The files that need the stack come last: once started it stays, and works beside all that
    follows.
    """
    for item in items:
        used = set(getattr(item, "fixturenames", ()))
        marks = [mark for fixture, mark in _MARKS.items() if fixture in used]
        for mark in marks or ["unit"]:
            item.add_marker(mark)
    on_the_stack = {item.path for item in items if item.get_closest_marker("stack")}
    items.sort(key=lambda item: item.path in on_the_stack)


@pytest.fixture(scope="session", autouse=True)
def _clean_environment() -> Iterator[None]:
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.lower() in _OURS}
    yield
    os.environ.update(kept)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The session's BATCHLINE_HOME."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def postgres_url(home: Path) -> Iterator[str]:
    """A Postgres server: any database on it may be made and dropped."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    with start_postgres(home, options={"fsync": "off"}) as server:
        yield server.url


@pytest.fixture(scope="session")
def redis_url(home: Path) -> Iterator[str]:
    """A Valkey server of the session's own."""
    if given := os.environ.get("TEST_REDIS_URL"):
        yield given
        return
    with start_valkey(home) as server:
        yield server.url


@pytest.fixture(scope="session")
def empty_database_url(postgres_url: str) -> Iterator[str]:
    """A database without tables, for those who test migrations."""
    with fresh_database(postgres_url) as url:
        yield url


@pytest.fixture(scope="session")
def database_url(postgres_url: str) -> Iterator[str]:
    """A migrated database of the session's own."""
    with fresh_database(postgres_url) as url:
        engine = make_engine(url, name="batchline-tests")
        upgrade(engine)
        engine.dispose()
        yield url


@pytest.fixture(scope="session")
def settings(database_url: str, redis_url: str, home: Path) -> Settings:
    """Settings that name the session's servers, with a quick engine: faults are noticed soon."""
    return replace(
        load_settings(
            {
                "DATABASE_URL": database_url,
                "REDIS_URL": redis_url,
                "BATCHLINE_HOME": str(home),
                "HANDLERS": TEST_HANDLERS,
                "HEARTBEAT_INTERVAL": "0.5",
                "HEARTBEAT_TIMEOUT": "6",
                "RESEND_AFTER": "5",
                "SWEEP_INTERVAL": "1",
                "WEBHOOK_ALLOW_PRIVATE": "1",
            }
        )
    )


@pytest.fixture(scope="session")
def engine(settings: Settings) -> Iterator[Engine]:
    """An engine on the session's database."""
    engine = make_engine(settings.database_url or "", name="batchline-tests", pool_size=20)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def registry() -> Registry:
    """The shipped operations and the tests' own."""
    return load_handlers([TEST_HANDLERS])


@pytest.fixture
def client(engine: Engine) -> ClientSecret:
    """A client of the test's own, with every scope."""
    return create_client(engine, f"test {uuid4()}")


@pytest.fixture(scope="session")
def stack(settings: Settings, engine: Engine) -> Iterator[Stack]:
    """Web, worker, slow worker and beat as processes, on the session's servers.

    What tests without workers have left to be done is not done: it would keep these busy for long.
    """
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM batches WHERE status IN ('PENDING', 'RUNNING')"))
    with running_stack(settings, handlers=TEST_HANDLERS) as stack:
        yield stack


@pytest.fixture(scope="module")
def own_settings(settings: Settings, postgres_url: str) -> Iterator[Settings]:
    """Settings that name a database and a broker at which no other processes look."""
    with fresh_database(postgres_url) as url:
        yield settings.with_servers(database_url=url, redis_url=other_redis(settings))


@pytest.fixture(scope="module")
def own_engine(own_settings: Settings) -> Iterator[Engine]:
    """An engine on that database, migrated."""
    engine = make_engine(own_settings.database_url or "", name="batchline-tests")
    upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def own_client(own_engine: Engine) -> ClientSecret:
    """A client there."""
    return create_client(own_engine, f"test {uuid4()}")


@pytest.fixture
def own_processes() -> Iterator[None]:
    """For a test that starts processes of its own: none of them may be left behind."""
    with none_left_behind():
        yield


def other_redis(settings: Settings) -> str:
    """A database of the session's Valkey that its own stack does not use, emptied."""
    url = f"{(settings.redis_url or '').rsplit('/', 1)[0]}/11"
    with Redis.from_url(url) as found:
        found.flushdb()
    return url


class fresh_database:
    """A new database on the server of `url`; its own URL; dropped at the end."""

    def __init__(self, url: str) -> None:
        self._server = make_url(url).set(drivername="postgresql+psycopg2")
        self._name = f"batchline_{uuid4().hex[:12]}"

    def __enter__(self) -> str:
        self._run(f"CREATE DATABASE {self._name}")
        return self._server.set(database=self._name).render_as_string(hide_password=False)

    def __exit__(self, *_: object) -> None:
        self._run(f"DROP DATABASE {self._name} WITH (FORCE)")

    def _run(self, statement: str) -> None:
        engine = make_engine(
            self._server.render_as_string(hide_password=False),
            name="batchline-tests",
            isolation_level="AUTOCOMMIT",
        )
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()


@contextmanager
def engine_of_its_own(postgres_url: str) -> Iterator[Engine]:
    """An engine on a new, migrated database that no process but the test works on."""
    with fresh_database(postgres_url) as url:
        engine = make_engine(url, name="batchline-tests", pool_size=20)
        upgrade(engine)
        yield engine
        engine.dispose()
