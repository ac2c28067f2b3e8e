"""Limits that a role or a database was given: our sessions do without."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from app.db import make_engine, transaction
from tests.conftest import fresh_database
from tests.faults.conftest import superuser

LIMITS = ("statement_timeout", "lock_timeout", "transaction_timeout", "idle_session_timeout")


@pytest.fixture
def limited_url(server_url: str) -> Iterator[str]:
    """A database in whose sessions nothing may last."""
    with fresh_database(server_url) as url:
        name = url.rsplit("/", 1)[1]
        with superuser(server_url) as cursor:
            for limit in LIMITS:
                cursor.execute(f"ALTER DATABASE {name} SET {limit} = '100ms'")
        yield url


def test_they_end_nothing_of_ours(limited_url: str) -> None:
    engine = make_engine(limited_url, name="tests", pool_size=1)
    for _ in range(2):  # a new connection, and the same again
        with transaction(engine) as connection:
            assert {connection.execute(text(f"SHOW {limit}")).scalar() for limit in LIMITS} == {"0"}
            connection.execute(text("SELECT pg_sleep(0.3)"))
            connection.execute(text("SELECT pg_sleep(0.3)"))
        time.sleep(0.3)
    # What a transaction sets for itself it still has, and has for itself alone.
    with transaction(engine) as connection:
        connection.execute(text("SET LOCAL statement_timeout = '1s'"))
    with transaction(engine) as connection:
        assert connection.execute(text("SHOW statement_timeout")).scalar() == "0"
    engine.dispose()
