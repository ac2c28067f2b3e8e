"""What the embedded servers have in common: a running server, and its log."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from app.local.servers.errors import HomeInUse, ServerError
from app.local.servers.guarded import Guarded
from app.local.servers.lock import PREDECESSOR_SECONDS

LOG_BYTES = 10 * 1024 * 1024


@dataclass
class Server:
    """A running embedded server. Use as a context manager, or call `stop`.

    `again` starts another like it, on the same port.
    """

    name: str
    url: str
    port: int
    log: Path
    guarded: Guarded
    again: Callable[[], Server]

    @property
    def running(self) -> bool:
        """Whether it still runs."""
        return self.guarded.running

    def revive(self) -> None:
        """Start it again at the same address after it died. Raises ServerError."""
        self.guarded.wait()
        deadline = time.monotonic() + PREDECESSOR_SECONDS
        while True:
            try:
                self.guarded = self.again().guarded
            except HomeInUse:
                # By its own leftover processes, which are still ending.
                if time.monotonic() > deadline:
                    raise
            else:
                return

    def stop(self) -> None:
        """Shut it down in order, and wait until it is gone. Nothing happens if it is already."""
        self.guarded.stop()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def make_home(home: Path) -> Path:
    """Make BATCHLINE_HOME if it is not there; returns its absolute path. Raises ServerError.

    A new one of root's can be entered (not listed) by others: Postgres, which will not be root,
    has to.
    """
    home = home.absolute()
    try:
        if not home.exists():
            home.mkdir(parents=True, exist_ok=True)
            home.chmod(0o711 if os.geteuid() == 0 else 0o700)
    except OSError as error:
        raise ServerError(f"BATCHLINE_HOME: cannot make {home}: {error.strerror}") from error
    return home


def bare_environ() -> dict[str, str]:
    """An environment in which no variable of the user's (PG*, LC_*) changes what a server does."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "LC_ALL": "C"}


def open_log(path: Path) -> IO[bytes]:
    """Open a log for appending; one that has grown past LOG_BYTES is set aside as `.1` first."""
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_name(path.name + ".1"))
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


def last_lines(path: Path, begins: int = 0, lines: int = 15) -> str:
    """The last `lines` lines of a log, at most from byte `begins` on."""
    with path.open("rb") as log:
        size = log.seek(0, os.SEEK_END)
        log.seek(max(begins, size - 16_384))
        return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
