"""What the machine has to give: handlers that load, room for what arrives, open files."""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from app.core.settings import Settings
from app.doctor.finding import Finding, doubtful, fine, wrong
from app.local.serve.preflight import check_handlers
from app.server.bounds import MOST_CONNECTIONS
from handlers.load import without_operations

_GIB = 1 << 30
_LEAST_ROOM = 2 * _GIB


def look_at_machine(settings: Settings) -> Iterator[Finding]:
    """Raises SettingsError, naming it, for a module of handlers that cannot be loaded."""
    yield from _folder("TMPDIR", Path(tempfile.gettempdir()), "bodies that arrive are kept there")
    yield from _folder(
        "BATCHLINE_HOME", settings.batchline_home, "servers and Flower keep data there"
    )
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most != resource.RLIM_INFINITY and most < MOST_CONNECTIONS:
        yield doubtful(
            "machine",
            f"a process may open {most:,} files; a web process holds up to {MOST_CONNECTIONS:,} "
            "connections",
            "raise the limit (ulimit -Hn, LimitNOFILE=)",
        )
    check_handlers(settings)
    for module in without_operations(settings.handlers):
        yield doubtful(
            "handlers",
            f"HANDLERS: {module} registers no operation",
            f"name the module that does (perhaps {module}.handlers), or leave it out",
        )
    loaded = ", ".join(settings.handlers)
    yield fine(
        "handlers", f"loaded: {loaded}" if loaded else "the shipped ones, and installed packages"
    )


def _folder(name: str, folder: Path, why: str) -> Iterator[Finding]:
    if not folder.exists():
        return  # it is made when it is needed
    if not os.access(folder, os.W_OK | os.X_OK):
        yield wrong(
            "machine", f"{name} {folder} cannot be written to: {why}", "give it to this user"
        )
        return
    free = shutil.disk_usage(folder).free
    said = f"{name} {folder} has {free / _GIB:,.1f} GiB free"
    if free < _LEAST_ROOM:
        yield doubtful("machine", said, f"make room: {why}")
    else:
        yield fine("machine", said)
