"""The connection to Postgres: one engine a process, and transactions with one owner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import structlog
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.core.error_text import attribute_of
from app.core.errors import Busy, CommitUnknown, SettingsError, Unavailable
from app.core.jsontext import dumps
from app.db.connections import discard_cut_connections
from app.db.statements.sessions import (
    SET_NO_IDLE_SESSION_TIMEOUT,
    SET_NO_TRANSACTION_TIMEOUT,
    SET_SESSION_DEFAULTS,
)

log = structlog.get_logger(__name__)

_HOOKS = "batchline.after_commit"

# What older servers do not know, and would refuse: by the version from which on there is one.
_LIMITS_SINCE = ((140000, SET_NO_IDLE_SESSION_TIMEOUT), (170000, SET_NO_TRANSACTION_TIMEOUT))
MAYBE_STORED = (
    "The database went away just as this was being stored, so it may have been. Sent again with "
    "the same Idempotency-Key, it is done once."
)
# The server is there and takes no writes: a standby, or a primary that has become one.
READ_ONLY = "25006"
_DISK_FULL = "53100"

# SQLSTATEs that another try of the same transaction may get past.
_RETRYABLE = {"40001", "40P01", "55P03"}
# SQLSTATE classes and codes that mean the server is away, starting, stopping or full.
_AWAY = ("08", "53", "57P01", "57P02", "57P03", "57P05", "25P03", "58")


def make_engine(url: str, *, name: str, pool_size: int = 5, **options: Any) -> Engine:
    """An engine for `url`. `name` shows in pg_stat_activity; `pool_size`: most connections.

    Of several servers in `url` the one is taken that takes writes, unless `url` itself says
    otherwise (`target_session_attrs`).
    """
    parsed = make_url(url)
    engine = create_engine(
        parsed,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=10,
        # Numbers with a point are Decimals, and are written as they are.
        json_serializer=dumps,
        # What is stored does not belong into the words of errors, which are logged.
        hide_parameters=True,
        connect_args={
            "application_name": name,
            "connect_timeout": 5,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "target_session_attrs": parsed.query.get("target_session_attrs", "read-write"),
            # Whatever PGCLIENTENCODING says.
            "client_encoding": "utf8",
        },
        **options,
    )

    @event.listens_for(engine, "handle_error")
    def mark_lost_connections(context: Any) -> None:
        # A connection the server has cut must leave the pool, whatever words it was cut with. One
        # to a server that takes no writes any more leaves it too, and all others with it: there
        # has been a failover, and a new connection finds the server that does.
        if sqlstate(context.original_exception) in ("57P01", "57P05", "25P03", READ_ONLY):
            context.is_disconnect = True

    @event.listens_for(engine, "connect")
    def set_up_session(driver: Any, _record: Any) -> None:
        try:
            check_encoding(driver)
        except SettingsError:
            driver.close()
            raise
        # Not as options of the connection's start, which PgBouncer refuses.
        setting = [SET_SESSION_DEFAULTS]
        setting += [limit for since, limit in _LIMITS_SINCE if driver.server_version >= since]
        before, driver.autocommit = driver.autocommit, True
        with driver.cursor() as cursor:
            cursor.execute("; ".join(setting))
        driver.autocommit = before

    discard_cut_connections(engine)
    return engine


def check_encoding(driver: Any) -> None:
    """Raise SettingsError unless the database of that psycopg2 connection is UTF-8.

    Another could not hold what clients send, or not tell it from something else. It costs nothing:
    the server says it when the connection is made.
    """
    encoding = driver.get_parameter_status("server_encoding")
    if encoding not in (None, "UTF8"):
        raise SettingsError(
            f"DATABASE_URL: the database's encoding is {encoding}; it has to be UTF8 "
            "(CREATE DATABASE ... ENCODING 'UTF8')."
        )


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """A transaction that commits when its block ends and rolls back when it raises.

    Raises Unavailable where the server is away, so that callers can say so with a 503, and of that
    CommitUnknown where it went away so late that the transaction may have been committed.
    """
    hooks: list[Callable[[], None]] = []
    committing = False
    try:
        with engine.begin() as connection:
            connection.info[_HOOKS] = hooks
            yield connection
            committing = True
    except (DBAPIError, PoolTimeoutError) as error:
        if not is_away(error):
            raise
        if committing:
            raise CommitUnknown(MAYBE_STORED, retry_after=5) from error
        if isinstance(error, PoolTimeoutError):
            raise busy() from error
        what = "takes no writes" if sqlstate(error) == READ_ONLY else "is not reachable"
        raise Unavailable(f"The database {what} just now.", retry_after=5) from error
    for hook in hooks:
        try:
            hook()
        except Exception as error:  # what has committed stays so, whatever a hook does
            log.warning("after_commit.failed", error=str(error), exc_info=error)


def after_commit(connection: Connection, hook: Callable[[], None]) -> None:
    """Call `hook` once the `transaction` that `connection` is in has committed, and only then."""
    connection.info[_HOOKS].append(hook)


def busy() -> Busy:
    """What to raise where all connections of the pool have been at work for too long."""
    return Busy("Every connection to the database is in use just now.", retry_after=2)


def sqlstate(error: BaseException | None) -> str:
    """The five characters by which Postgres names an error, or an empty string."""
    # Whoever raised it may have been a handler, whose exceptions can be anything.
    code = attribute_of(attribute_of(error, "orig") or error, "pgcode")
    return code if type(code) is str else ""


def is_retryable(error: BaseException) -> bool:
    """Whether the same transaction, tried again, may well succeed (deadlock, serialization)."""
    return sqlstate(error) in _RETRYABLE


def is_away(error: BaseException) -> bool:
    """Whether `error` says that the server cannot be used for the moment."""
    if isinstance(error, (PoolTimeoutError, Unavailable)):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    if sqlstate(error).startswith(_AWAY):
        return True
    original = attribute_of(error, "orig") or error
    return isinstance(error, OperationalError) and (
        isinstance(original, psycopg2.OperationalError) and not sqlstate(error)
    )


def refuses_writes(error: BaseException) -> bool:
    """Whether `error` says that the server is there and cannot write: disk full, or read-only."""
    return sqlstate(error.__cause__ or error) in (_DISK_FULL, READ_ONLY)


def cursor_of(connection: Connection) -> Any:
    """A psycopg2 cursor of the connection's own transaction, for COPY."""
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101 (a checked-out connection has one)
    return driver.cursor()
