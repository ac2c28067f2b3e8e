"""Connections that were cut while nobody used them, and reads that cost one round trip."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import DBAPIError

from app.core.errors import Busy, Unavailable
from app.db import make_engine, read, transaction
from app.db.connections import has_news

NAME = "batchline-cut"
ONE = text("SELECT 1")


@pytest.fixture
def victim(database_url: str) -> Iterator[Engine]:
    """An engine whose connections the test cuts."""
    engine = make_engine(database_url, name=NAME, pool_size=3)
    yield engine
    engine.dispose()


def cut(engine: Engine) -> int:
    """End every session of the victim, and wait until each has ended; how many there were."""
    with engine.begin() as connection:
        ended = connection.execute(
            text(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                " WHERE application_name = :name"
            ),
            {"name": NAME},
        )
        return len(ended.all())


def fill(victim: Engine) -> None:
    """Let the pool hold three connections, all unused."""
    with victim.connect() as first, victim.connect() as second, victim.connect() as third:
        for connection in (first, second, third):
            connection.execute(ONE)


def one(connection: Connection) -> int:
    return int(connection.execute(ONE).scalar_one())


def test_a_connection_that_was_cut_is_not_handed_out(engine: Engine, victim: Engine) -> None:
    for _ in range(2):
        fill(victim)
        assert cut(engine) == 3
        with transaction(victim) as connection:
            assert one(connection) == 1
        assert read(victim, one) == 1


def test_the_look_at_it_costs_no_round_trip(victim: Engine, monkeypatch: Any) -> None:
    pings: list[object] = []
    monkeypatch.setattr(victim.dialect, "do_ping", lambda driver: pings.append(driver))
    for _ in range(5):
        assert read(victim, one) == 1
    with transaction(victim) as connection:
        assert one(connection) == 1
    assert pings == []


def test_news_that_are_not_the_end_do_no_harm(engine: Engine, victim: Engine) -> None:
    """A server may say something unasked: that a notification came, that a setting has changed."""

    def listen(connection: Connection) -> int:
        connection.execute(text("LISTEN something"))
        return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())

    session = read(victim, listen)
    with engine.begin() as connection:
        connection.execute(text("NOTIFY something"))
    with victim.raw_connection().driver_connection.cursor() as cursor:  # type: ignore[union-attr]
        cursor.execute("SELECT pg_backend_pid()")
        assert cursor.fetchone() == (session,), "asked whether it answers, and kept"


def test_a_connection_lost_under_a_read_is_replaced(engine: Engine, victim: Engine) -> None:
    calls = 0

    def look(connection: Connection) -> int:
        nonlocal calls
        calls += 1
        if calls == 1:
            cut(engine)
        return one(connection)

    assert read(victim, look) == 1
    assert calls == 2


def test_but_only_once(engine: Engine, victim: Engine) -> None:
    calls = 0

    def look(connection: Connection) -> int:
        nonlocal calls
        calls += 1
        cut(engine)
        return one(connection)

    with pytest.raises(Unavailable):
        read(victim, look)
    assert calls == 2


def test_what_is_wrong_with_a_read_is_not_tried_again(victim: Engine) -> None:
    calls = 0

    def look(connection: Connection) -> None:
        nonlocal calls
        calls += 1
        connection.execute(text("SELECT 1 / 0"))

    with pytest.raises(DBAPIError):
        read(victim, look)
    assert calls == 1


def test_a_transaction_is_not_tried_again(engine: Engine, victim: Engine) -> None:
    def work() -> None:
        with transaction(victim) as connection:
            cut(engine)
            one(connection)

    with pytest.raises(Unavailable):
        work()


def test_a_read_is_no_transaction_and_the_next_one_is(victim: Engine) -> None:
    begun = []
    event.listen(victim, "checkout", lambda driver, *_: begun.append(driver))
    moments = text("SELECT now()")

    def look(connection: Connection) -> tuple[Any, Any]:
        return (
            connection.execute(moments).scalar_one(),
            connection.execute(moments).scalar_one(),
        )

    first, second = read(victim, look)
    assert first != second
    with transaction(victim) as connection:
        first, second = look(connection)
    assert first == second
    assert len(set(begun)) == 1, "by one connection"


def test_a_closed_connection_is_news(victim: Engine) -> None:
    with victim.connect() as connection:
        driver: Any = connection.connection.driver_connection
        assert not has_news(driver)
        driver.close()
        assert has_news(driver)
        connection.invalidate()


def test_a_pool_that_is_full_is_busy_and_not_away(
    victim: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(victim.pool, "_timeout", 0.1)
    taken = [victim.connect() for _ in range(3)]
    try:
        with pytest.raises(Busy, match="in use") as raised, transaction(victim):
            pass
        assert raised.value.retry_after
        with pytest.raises(Busy, match="in use"):
            read(victim, lambda connection: connection.execute(ONE).scalar_one())
    finally:
        for connection in taken:
            connection.close()
    assert read(victim, lambda connection: connection.execute(ONE).scalar_one()) == 1
