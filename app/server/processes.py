"""How many web processes there are on a machine."""

from __future__ import annotations

import os

from app.core.settings import Settings

# Beyond so many Postgres is busy before they are.
_MOST = 4


def web_processes(settings: Settings) -> int:
    """Those of one gunicorn: as `WEB_WORKERS` says, or else one for each core, at most four."""
    return settings.web_workers or min(_MOST, _cores())


def _cores() -> int:
    """How many cores this process may use."""
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else os.cpu_count() or 1
