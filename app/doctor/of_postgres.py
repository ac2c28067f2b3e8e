"""Postgres: whether it is one that Batchline can work with, and this role may do what it must."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, Row
from sqlalchemy.exc import OperationalError, ProgrammingError

from app.core.error_text import said_by_postgres
from app.core.settings import Settings
from app.db import make_engine
from app.db.migrations import WrongRevision, pending
from app.db.statements.doctor import DESCRIBE_SERVER, LIST_FORBIDDEN_TABLES
from app.doctor.connecting import cure_of
from app.doctor.finding import Finding, clock, doubtful, fine, wrong

_ABOUT = "Postgres"
# Multiranges, which statements here use.
_OLDEST = 140000
# Of the connections that there may be.
_FULL = 0.85
_APART_SECONDS = 2.0


@contextmanager
def connected(settings: Settings) -> Iterator[Engine]:
    """An engine of one connection. Raises SettingsError where none is given."""
    settings.require_servers(redis=False)
    engine = make_engine(settings.database_url or "", name="batchline-doctor", pool_size=1)
    try:
        yield engine
    finally:
        engine.dispose()


def look_at_postgres(settings: Settings) -> Iterator[Finding]:
    """Raises SettingsError for a database that is not UTF-8."""
    with connected(settings) as engine:
        try:
            connection = engine.connect()
        except OperationalError as error:
            said = said_by_postgres(error.orig)
            yield wrong(_ABOUT, said, cure_of(said, "DATABASE_URL"))
            return
        with connection:
            before = time.time()
            server = connection.execute(DESCRIBE_SERVER).one()
            yield from _server(server)
            ahead = float(server.clock) - (before + time.time()) / 2
            cure = "set it by NTP: receivers of webhooks go by it, and whoever reads logs"
            yield clock("Postgres", ahead, _APART_SECONDS, cure) or fine(
                "clock", "this machine's and Postgres' agree"
            )
            if server.schema is None:
                cure = _grant_to(server.role)
                yield wrong(_ABOUT, "the role may use no schema of its search_path", cure)
                return
            yield from _tables(connection, server.role)
        yield from _schema(engine, server.role)


def _server(server: Row[Any]) -> Iterator[Finding]:
    used = f"{server.connections} of {server.most_connections} connections"
    yield fine(_ABOUT, f"{server.release}, {server.encoding}, {used}, as {server.role}")
    if server.number < _OLDEST:
        yield wrong(
            _ABOUT, f"release {server.release} is too old", "Postgres 14 or newer is needed"
        )
    if server.connections > server.most_connections * _FULL:
        yield doubtful(
            _ABOUT,
            f"{used} are used",
            "raise max_connections, or put PgBouncer before it",
        )


def _tables(connection: Connection, role: str) -> Iterator[Finding]:
    forbidden = list(connection.execute(LIST_FORBIDDEN_TABLES).scalars())
    if forbidden:
        yield wrong(
            _ABOUT,
            f"the role may not read and write {', '.join(forbidden)}",
            _grant_to(role),
        )


def _schema(engine: Engine, role: str) -> Iterator[Finding]:
    try:
        missing = pending(engine)
    except WrongRevision as error:
        yield wrong("schema", str(error), "run the release that made it, or a newer one")
        return
    except ProgrammingError as error:
        yield wrong("schema", said_by_postgres(error.orig), _grant_to(role))
        return
    if missing:
        yield wrong(
            "schema",
            f"it lacks {', '.join(missing)}",
            "run `batchline migrate` as the schema's owner",
        )
    else:
        yield fine("schema", "up to date")


def _grant_to(role: str) -> str:
    return f"run `batchline migrate --role {shlex.quote(role)}` as the schema's owner"
