"""The data folder of an embedded Postgres: made by initdb, and looked at before every start."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from app.local.servers.errors import ServerError
from app.local.servers.guarded import Guarded, RunAs, Spec, Steps
from app.local.servers.server import bare_environ

USER = "batchline"
NOTES = "batchline.json"
"""A file in the folder, with the password and the port of the last start."""


def make_cluster(home: Path, data: Path, programs: Path, run_as: RunAs | None) -> None:
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
    write_private(cluster / NOTES, {"password": password}, run_as)
    cluster.rename(data)
    shutil.rmtree(workplace, ignore_errors=True)


def check_version(data: Path, programs: Path) -> None:
    """Raise ServerError if another major version made the folder than the one installed."""
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


def clear_stale_pid_file(data: Path) -> None:
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


def write_private(path: Path, content: dict[str, Any], run_as: RunAs | None) -> None:
    """Write `content` as JSON, in one step, readable by the server's user alone."""
    new = path.with_suffix(".new")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w") as file:
        json.dump(content, file)
    if run_as is not None:
        os.chown(new, run_as.uid, run_as.gid)
    new.replace(path)
