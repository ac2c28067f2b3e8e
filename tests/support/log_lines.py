"""Lines of the log as whoever collects them reads them, and what may not stand in them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from app.core.settings import Settings

FIELDS = {"event", "logger", "level", "timestamp"}
"""What every line has."""


def entry_of(line: str) -> dict[str, Any] | None:
    """The object that the line is; None where it is none, or lacks what each has."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.keys() >= FIELDS else None


def passwords(settings: Settings) -> list[str]:
    """Those of the servers."""
    found = [urlsplit(url or "").password for url in (settings.database_url, settings.redis_url)]
    return [password for password in found if password]
