"""A Postgres of this folder's own, which its tests use up, make read-only, and cut off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg2
import pytest
from sqlalchemy import Engine

from app.core.settings import Settings
from app.local.servers import start_postgres
from tests.conftest import other_redis
from tests.support.processes import none_left_behind
from tests.support.stack import Stack, running_stack

MOST_CONNECTIONS = 60


@pytest.fixture(scope="module", autouse=True)
def own_processes() -> Iterator[None]:
    """A module's tests may leave none behind."""
    with none_left_behind():
        yield


@pytest.fixture(scope="module")
def server_url(own_processes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server whose every setting may be changed."""
    home = tmp_path_factory.mktemp("server")
    home.chmod(0o711)
    options = {"fsync": "off", "max_connections": str(MOST_CONNECTIONS)}
    with start_postgres(home, options=options) as server:
        yield server.url


@pytest.fixture(scope="module")
def own_settings(settings: Settings, server_url: str) -> Settings:
    """That server, a broker that no other worker looks at, and impatient heartbeats."""
    own = settings.with_servers(database_url=server_url, redis_url=other_redis(settings))
    return replace(own, heartbeat_interval=0.5, heartbeat_timeout=3.0)


@pytest.fixture(scope="module")
def own_stack(own_settings: Settings, own_engine: Engine) -> Iterator[Stack]:
    """A stack on that server."""
    with running_stack(
        own_settings, handlers="tests.support.handlers", extra={"SLOW_CONCURRENCY": "4"}
    ) as stack:
        yield stack


@contextmanager
def superuser(url: str) -> Iterator[Any]:
    """A cursor that may write whatever the server's settings say, each statement by itself."""
    connection = psycopg2.connect(
        url, application_name="superuser", options="-c default_transaction_read_only=off"
    )
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()
