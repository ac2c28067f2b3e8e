"""The user that Postgres runs as, since it refuses to run as root.

If we are not root: ourselves. If we are: another user, who owns the data. If that user cannot reach
the programs or the data (a checkout under /root is closed to all others, and its permissions are
not ours to change), it keeps root's right to open any file: CAP_DAC_OVERRIDE, which containers have
too.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import replace
from pathlib import Path

from app.local.servers.errors import ServerError
from app.local.servers.guarded import Guarded, RunAs, Spec

NOBODY = RunAs(65534, 65534)


def whom_to_run_as(home: Path, data: Path, program: Path) -> RunAs | None:
    """Decide whom `program` runs as on `data`, a folder (perhaps not yet there) in `home`.

    Returns None for ourselves. Raises ServerError if there is no way.
    """
    if os.geteuid() != 0:
        return None
    # The owner of the data if there is any; else the owner of the home; else the user `nobody`.
    for owned in (data, home):
        user = _owner(owned)
        if user is not None:
            break
    else:
        user = _nobody()
    for candidate in (user, replace(user, keep_access=True)):
        if _can_use(candidate, home, program):
            return candidate
    raise ServerError(
        f"Postgres does not run as root, and user {user.uid} cannot reach {home} and {program}: "
        "run as another user, set BATCHLINE_HOME to a folder that others may enter, "
        "or set DATABASE_URL"
    )


def _owner(path: Path) -> RunAs | None:
    """The user who owns `path`, unless that is root, or has no name (which initdb refuses)."""
    if not path.exists():
        return None
    owner = path.stat()
    try:
        pwd.getpwuid(owner.st_uid)
    except KeyError:
        return None
    return RunAs(owner.st_uid, owner.st_gid) if owner.st_uid != 0 else None


def _nobody() -> RunAs:
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return NOBODY
    return RunAs(nobody.pw_uid, nobody.pw_gid)


def _can_use(user: RunAs, home: Path, program: Path) -> bool:
    """Whether `user` may enter `home` and run `program`, which is initdb (it only says a lot)."""
    steps = (("SIGKILL", 5.0),)
    test = ["/bin/sh", "-c", 'cd "$1" && exec "$2" --show -D x', "sh", str(home), str(program)]
    trial = Guarded(Spec(test, steps, steps, run_as=user), output=subprocess.DEVNULL)
    return trial.wait() == 0
