"""A lock on a folder, held as long as anything that uses the folder is alive.

It is an flock on an open file description, which the guard and the server itself inherit: it is
free only when the last of them is gone, even if the process that took it was killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path

from app.local.servers.errors import HomeInUse, ServerError

PREDECESSOR_SECONDS = 45.0
"""How long to wait for servers whose owner is gone to finish shutting down."""


DYING_SECONDS = 0.5
"""How long an owner that was just killed may still look alive."""


def take_lock(path: Path, what: str) -> int:
    """Take the lock at `path` and return its descriptor; closing it everywhere frees the lock.

    `what` names what is locked, for the message. Raises HomeInUse if its owner is alive, or, after
    PREDECESSOR_SECONDS, if what a dead owner left behind does not end.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ServerError(f"{what}: cannot lock it: {error}") from error
    try:
        begun = time.monotonic()
        while not _try(descriptor):
            owner, waited = _owner(descriptor), time.monotonic() - begun
            if waited > DYING_SECONDS and owner is not None and _alive(owner):
                raise HomeInUse(
                    f"{what} is in use by process {owner}: stop that first,"
                    " or set BATCHLINE_HOME to another folder"
                )
            if waited > PREDECESSOR_SECONDS:
                raise HomeInUse(f"{what} is in use by what process {owner} left behind")
            time.sleep(0.05)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _owner(descriptor: int) -> int | None:
    with contextlib.suppress(ValueError):
        return int(os.pread(descriptor, 32, 0))
    return None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except ProcessLookupError:
        return False
    except OSError:
        return True  # someone else's, or no /proc here
    return state not in "ZX"  # ended, and only its parent has not noticed yet
