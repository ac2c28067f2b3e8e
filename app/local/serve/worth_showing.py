"""What of the processes' output a person at the terminal sees: warnings, and what is no log."""

from __future__ import annotations

import json
from typing import Any

import structlog

from app.core.log_scrubbing import keep_to_lines

_QUIET = frozenset({"debug", "info"})
# What the terminal's own line tells, or nobody there asks for.
_BESIDE = ("timestamp", "level", "logger")


def worth_showing(line: str) -> str | None:
    """A process's line as the terminal shows it, or None: it is in the file alone.

    Of objects, which is what processes log, those above the level `info`, in readable form with
    their traceback; of others, such as what a handler prints, each.
    """
    found = _object(line)
    if found is None:
        return line if line.strip() else None
    level = str(found.get("level", "info"))
    # Whoever asks whether all is ready is told what is not; `serve` itself asks as it starts.
    if level in _QUIET or found.get("path") == "/readyz":
        return None
    told = {name: value for name, value in found.items() if name not in _BESIDE}
    keep_to_lines(None, "", told)
    render = structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0)
    return f"{level.upper()} {render(None, '', told)}"


def _object(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
