"""Statements that are transactions of their own, and reads made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.core.errors import Unavailable
from app.db.engine import busy, is_away

Found = TypeVar("Found")


def read(engine: Engine, look: Callable[[Connection], Found]) -> Found:
    """What `look` finds, each of its statements by itself, without BEGIN and COMMIT.

    For what only reads, and can be done twice: where the connection turns out to be lost, `look`
    is called again, once, with another. Each statement sees what had been committed when it began,
    as in a `transaction`, so this takes nothing from several of them but the two round trips.
    Raises Unavailable where the server is away.
    """
    try:
        with each_by_itself(engine) as connection:
            return look(connection)
    except Unavailable as error:
        lost = error.__cause__
        if not (isinstance(lost, DBAPIError) and lost.connection_invalidated):
            raise
    with each_by_itself(engine) as connection:
        return look(connection)


@contextmanager
def each_by_itself(engine: Engine) -> Iterator[Connection]:
    """A connection on which each statement is a transaction of its own, and one round trip.

    There is nothing to be called after a commit (`after_commit`). Raises Unavailable where the
    server is away.
    """
    try:
        with engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None  # noqa: S101 (a checked-out connection has one)
            # SQLAlchemy's isolation level AUTOCOMMIT, at a tenth of what it costs for a statement.
            before, driver.autocommit = driver.autocommit, True
            try:
                yield connection
            finally:
                if not driver.closed:
                    driver.autocommit = before
    except (DBAPIError, PoolTimeoutError) as error:
        if isinstance(error, PoolTimeoutError):
            raise busy() from error
        if is_away(error):
            raise Unavailable("The database is not reachable just now.", retry_after=5) from error
        raise
