"""`batchline doctor`: whether all processes may have their connections to Postgres at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import Engine, make_url, text

from app.core.settings import Settings
from app.db import make_engine, pools
from app.db.statements.doctor import COUNT_WEB_MACHINES
from app.doctor import of_connections
from app.doctor.finding import Level
from app.doctor.of_connections import look_at_connections

# As docs/operating.md has them, on Postgres' side.
WEB, WORKER, SLOW = 20, 6, 39


@pytest.fixture
def here(own_settings: Settings, own_engine: Engine) -> Iterator[Settings]:
    """One web process, and no worker but those of the test."""
    with own_engine.begin() as connection:
        connection.execute(text("DELETE FROM workers"))
    yield replace(own_settings, web_workers=1)
    with own_engine.begin() as connection:
        connection.execute(text("DELETE FROM workers"))


def start(engine: Engine, many: int, *, slots: int = 1, queues: str = "{control,fast}") -> None:
    """Rows of workers, as their heartbeats make them."""
    row = text(
        """INSERT INTO workers (id, hostname, pid, queue, slots, queues)
           VALUES (:id, 'there', 1, 'fast', :slots, CAST(:queues AS text[]))"""
    )
    rows = [{"id": uuid4(), "slots": slots, "queues": queues} for _ in range(many)]
    with engine.begin() as connection:
        connection.execute(row, rows)


def limit_database(engine: Engine, most: int) -> None:
    """Let so many connect to it; -1 for any number."""
    name = engine.url.database
    with engine.begin() as connection:
        connection.execute(text(f"ALTER DATABASE {name} CONNECTION LIMIT {most}"))


def said(settings: Settings) -> tuple[Level, str]:
    [found] = look_at_connections(settings)
    return found.level, found.found


def test_what_processes_may_want_is_what_the_documentation_says() -> None:
    assert pools.of_web(700) == WEB
    assert pools.of_web(5) == 5
    assert pools.of_workers(processes=1, slots=1, senders=0) == WORKER
    assert pools.of_workers(processes=1, slots=32, senders=1) == SLOW
    # The first two columns of the table under "Capacity".
    for web, workers, slow, sum_ in ((2, 2, 1, 91), (4, 8, 1, 167)):
        slots = workers + slow * 32
        many = pools.of_workers(processes=workers + slow, slots=slots, senders=slow)
        assert web * WEB + many == sum_


def test_more_workers_than_postgres_has_connections_for(here: Settings, own_engine: Engine) -> None:
    start(own_engine, 2)
    start(own_engine, 1, slots=32, queues="{control,slow}")
    wanted = WEB + 2 * WORKER + SLOW
    assert said(here) == (
        Level.OK,
        f"1 web and 3 worker processes may want {wanted} at once, and can have them",
    )
    start(own_engine, 300)
    level, found = said(here)
    assert level == Level.WARNING
    assert f"may want {wanted + 300 * WORKER:,} at once" in found
    assert "max_connections leaves" in found


def test_a_worker_that_is_gone_wants_none(here: Settings, own_engine: Engine) -> None:
    start(own_engine, 300)
    with own_engine.begin() as connection:
        connection.execute(text("UPDATE workers SET heartbeat_at = now() - interval '1 hour'"))
    assert said(here)[0] == Level.OK


def test_a_database_that_lets_few_connect(here: Settings, own_engine: Engine) -> None:
    # A session that is not one of Batchline's processes counts beside them, as this one does.
    url = own_engine.url.render_as_string(hide_password=False)
    other = make_engine(url, name="a dashboard", pool_size=1)
    try:
        with other.connect() as connection:
            connection.execute(text("SELECT 1"))
            limit_database(own_engine, WEB + 1)
            assert said(here)[0] == Level.OK
            limit_database(own_engine, WEB)
            assert said(here) == (
                Level.WARNING,
                f"1 web and 0 worker processes may want {WEB} at once, beside 1 of others; "
                f"the database's CONNECTION LIMIT leaves {WEB}",
            )
    finally:
        limit_database(own_engine, -1)
        other.dispose()


def test_a_role_that_may_connect_a_few_times(here: Settings, own_engine: Engine) -> None:
    role = f"doctor_few_{own_engine.url.database}"
    with own_engine.begin() as connection:
        connection.execute(text(f"CREATE ROLE {role} LOGIN PASSWORD 'x' CONNECTION LIMIT {WEB}"))
        connection.execute(text(f"GRANT SELECT ON workers TO {role}"))
    try:
        url = make_url(here.database_url or "").set(username=role, password="x")
        as_role = replace(here, database_url=url.render_as_string(hide_password=False))
        assert said(as_role)[0] == Level.OK
        start(own_engine, 1)
        level, found = said(as_role)
    finally:
        with own_engine.begin() as connection:
            connection.execute(text(f"DROP OWNED BY {role}"))
            connection.execute(text(f"DROP ROLE {role}"))
    assert level == Level.WARNING
    assert f"the role's CONNECTION LIMIT leaves {WEB}" in found


def test_web_processes_of_another_machine_want_as_many(
    here: Settings, own_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_connections, "COUNT_WEB_MACHINES", text("SELECT 3"))
    assert f"3 web and 0 worker processes may want {3 * WEB} at once" in said(here)[1]


def test_machines_are_counted_by_the_addresses_of_web_processes(
    here: Settings, own_engine: Engine
) -> None:
    url = own_engine.url.render_as_string(hide_password=False)
    web = make_engine(url, name="batchline-web", pool_size=2)
    try:
        with web.connect() as one, web.connect() as two:
            machines = [each.execute(COUNT_WEB_MACHINES).scalar_one() for each in (one, two)]
    finally:
        web.dispose()
    assert machines == [1, 1]


def test_a_pooler_between_has_limits_of_its_own(
    here: Settings, own_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It tells its client a number of its own where Postgres tells its process'."""
    start(own_engine, 300)
    monkeypatch.setattr(of_connections, "GET_BACKEND", text("SELECT -1"))
    level, found = said(here)
    assert (level, "a pooler is between" in found) == (Level.OK, True)
