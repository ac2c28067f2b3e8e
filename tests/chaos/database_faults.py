"""The faults of Postgres: away, cut off, full, read-only, without connections, locked."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Iterator
from typing import Any

import psycopg2
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.core.errors import BatchlineError
from tests.chaos.faults import fault, kill_server
from tests.chaos.machine import Machine

_CUT_IDLE = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE state = 'idle' AND application_name LIKE 'batchline-w%'
"""


@fault
def restart_postgres_fast(machine: Machine, rng: random.Random) -> None:
    """Postgres: fast shutdown and start."""
    machine.postgres.stop()
    machine.postgres.revive()


@fault
def restart_postgres_immediate(machine: Machine, rng: random.Random) -> None:
    """Postgres: kill -9 of everything, crash recovery."""
    kill_server(machine, machine.postgres)
    machine.postgres.revive()


@fault
def cut_connections(machine: Machine, rng: random.Random) -> None:
    """Every database connection is terminated."""
    with machine.admin() as connection:
        connection.execute(
            text(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()
                """
            )
        )


@fault
def deadlocks(machine: Machine, rng: random.Random) -> None:
    """Another session locks wallets against the order, again and again."""
    for _ in range(5):
        with contextlib.suppress(Exception), machine.admin() as connection:
            connection.execute(text("SET LOCAL deadlock_timeout = '10s'"))
            for direction in ("DESC", "ASC"):
                connection.execute(
                    text(
                        f"""
                        SELECT key FROM records WHERE collection = 'wallet'
                        ORDER BY key {direction} LIMIT 20 FOR UPDATE
                        """
                    )
                )
                time.sleep(0.1)


@fault
def disk_full(machine: Machine, rng: random.Random) -> None:
    """Every write of an outcome fails as on a full disk, for a second or two."""
    _failing_writes(machine, "53100", rng.uniform(0.5, 2))


@fault
def disk_full_for_long(machine: Machine, rng: random.Random) -> None:
    """For half a minute no row is written at all.

    By triggers that raise what Postgres raises for want of space, as a disk that can be filled
    needs rights that a test has not.
    """
    tables = ("items", "slices", "batches", "records", "wallets", "workers", "idempotency_keys")
    _failing_writes(machine, "53100", rng.uniform(25, 30), tables=tables)


@fault
def become_read_only(machine: Machine, rng: random.Random) -> None:
    """A failover, and one back: the server takes no writes for a while, in whatever session."""
    with _unhindered(machine) as cursor:
        cursor.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        cursor.execute("SELECT pg_reload_conf()")
        time.sleep(rng.uniform(1, 7))
        cursor.execute("ALTER SYSTEM RESET default_transaction_read_only")
        cursor.execute("SELECT pg_reload_conf()")


@fault
def use_up_connections(machine: Machine, rng: random.Random) -> None:
    """Every connection is taken, for longer than a heartbeat may be old; then idle ones are cut."""
    taken: list[Any] = []
    until = time.monotonic() + machine.stack.settings.heartbeat_timeout * 2
    with _unhindered(machine) as cursor:
        try:
            cut = rng.random() < 0.5
            while time.monotonic() < until:
                with contextlib.suppress(psycopg2.OperationalError):
                    while True:
                        taken.append(psycopg2.connect(machine.postgres.url))
                if cut:
                    cursor.execute(_CUT_IDLE)
                time.sleep(0.05)
        finally:
            for connection in taken:
                connection.close()


@fault
def hold_locks(machine: Machine, rng: random.Random) -> None:
    """Somebody's session holds rows of unfinished batches, and does nothing."""
    with contextlib.suppress(SQLAlchemyError, BatchlineError), machine.admin() as connection:
        connection.execute(text("SET LOCAL lock_timeout = '2s'"))
        connection.execute(
            text(
                """
                SELECT FROM batches WHERE finished_at IS NULL
                ORDER BY random() LIMIT 2 FOR UPDATE SKIP LOCKED
                """
            )
        )
        connection.execute(text("SELECT FROM slices LIMIT 3 FOR UPDATE SKIP LOCKED"))
        time.sleep(rng.uniform(2, 6))


@fault
def serialization_failures(machine: Machine, rng: random.Random) -> None:
    """Every write of an outcome fails as in a serialization conflict, for a moment."""
    _failing_writes(machine, "40001", rng.uniform(0.1, 0.4))


@contextlib.contextmanager
def _unhindered(machine: Machine) -> Iterator[Any]:
    """A cursor of a session that may write whatever the server says, each statement by itself."""
    connection = psycopg2.connect(
        machine.postgres.url,
        application_name="batchline-chaos",
        options="-c default_transaction_read_only=off",
    )
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def _failing_writes(
    machine: Machine, code: str, seconds: float, *, tables: tuple[str, ...] = ()
) -> None:
    """`tables`: where every write fails; where there are none, each change of an item."""
    events = "INSERT OR UPDATE OR DELETE" if tables else "UPDATE"
    with machine.admin() as connection:
        connection.execute(
            text(
                f"""
                CREATE OR REPLACE FUNCTION chaos_fails() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN RAISE EXCEPTION 'chaos' USING ERRCODE = '{code}'; END $$
                """
            )
        )
    for table in tables or ("items",):
        with machine.admin() as connection:
            connection.execute(
                text(
                    f"""
                    CREATE TRIGGER chaos BEFORE {events} ON {table} FOR EACH STATEMENT
                    EXECUTE FUNCTION chaos_fails()
                    """
                )
            )
    time.sleep(seconds)
    for table in tables or ("items",):
        with machine.admin() as connection:
            connection.execute(text(f"DROP TRIGGER chaos ON {table}"))
