"""Reads: one round trip a statement, and tried again where the connection was lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.core.errors import Unavailable
from app.db.engine import is_away

Found = TypeVar("Found")


def read(engine: Engine, look: Callable[[Connection], Found]) -> Found:
    """What `look` finds, each of its statements by itself, without BEGIN and COMMIT.

    For what only reads, and can be done twice: where the connection turns out to be lost, `look`
    is called again, once, with another. Each statement sees what had been committed when it began,
    as in a `transaction`, so this takes nothing from several of them but the two round trips.
    Raises Unavailable where the server is away.
    """
    try:
        try:
            return _looked(engine, look)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        return _looked(engine, look)
    except (DBAPIError, PoolTimeoutError) as error:
        if is_away(error):
            raise Unavailable("The database is not reachable just now.", retry_after=5) from error
        raise


def _looked(engine: Engine, look: Callable[[Connection], Found]) -> Found:
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None  # noqa: S101 (a checked-out connection has one)
        # As SQLAlchemy's isolation level AUTOCOMMIT, at a tenth of what it costs for one statement.
        before, driver.autocommit = driver.autocommit, True
        try:
            return look(connection)
        finally:
            if not driver.closed:
                driver.autocommit = before
