"""Connections to Postgres: whether all processes may have theirs at once."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from app.core.errors import SettingsError
from app.core.settings import Settings
from app.db import pools
from app.db.statements.doctor import (
    COUNT_LIVE_WORKERS,
    COUNT_WEB_MACHINES,
    GET_BACKEND,
    LIST_CONNECTION_LIMITS,
    ConnectionLimit,
)
from app.db.statements.rows import rows_of
from app.doctor.finding import Finding, doubtful, fine
from app.doctor.of_postgres import connected
from app.server.processes import web_processes

_ABOUT = "connections"


def look_at_connections(settings: Settings) -> Iterator[Finding]:
    """Nothing where Postgres cannot be asked, or has no tables: that is told elsewhere."""
    try:
        with connected(settings) as engine, engine.connect() as connection:
            found = list(_limits(connection, settings))
    except (DBAPIError, SettingsError):
        return
    yield from found


def _limits(connection: Connection, settings: Settings) -> Iterator[Finding]:
    if _is_pooled(connection):
        said = "a pooler is between, which has limits of its own (max_client_conn)"
        yield fine(_ABOUT, said)
        return
    wanted, who = _wanted(connection, settings)
    limits = rows_of(ConnectionLimit, connection.execute(LIST_CONNECTION_LIMITS))
    tight = [one for one in limits if wanted + one.others > one.most]
    for one in tight:
        beside = f", beside {one.others:,} of others" if one.others else ""
        yield doubtful(
            _ABOUT,
            f"{who} may want {wanted:,} at once{beside}; {one.by} leaves {one.most:,}",
            "raise it, put PgBouncer between, or run fewer processes",
        )
    if not tight:
        yield fine(_ABOUT, f"{who} may want {wanted:,} at once, and can have them")


def _wanted(connection: Connection, settings: Settings) -> tuple[int, str]:
    """The most connections of the processes that there are, and these in words.

    Web processes are in no table: there are those of this machine's settings, and as many on each
    other machine from which some are connected.
    """
    machines = max(1, connection.execute(COUNT_WEB_MACHINES).scalar_one())
    web = machines * web_processes(settings)
    stale = {"stale": settings.heartbeat_timeout}
    live = connection.execute(COUNT_LIVE_WORKERS, stale).one()
    workers = pools.of_workers(processes=live.processes, slots=live.slots, senders=live.senders)
    who = f"{web} web and {live.processes} worker processes"
    return web * pools.of_web(settings.web_threads) + workers, who


def _is_pooled(connection: Connection) -> bool:
    """Whether this speaks with a process of Postgres' other than the one it was let in by."""
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101 (a checked-out connection has one)
    let_in_by: int = driver.get_backend_pid()
    spoken_with: int = connection.execute(GET_BACKEND).scalar_one()
    return spoken_with != let_in_by
