"""The Procfile: which processes there are, a shell line each."""

from __future__ import annotations

from pathlib import Path

from honcho.environ import parse_procfile

from app.core.errors import SettingsError
from app.local.serve.shipped import SHIPPED


def load_procfile(path: Path = SHIPPED / "Procfile") -> dict[str, str]:
    """Name and shell line of every process, in the file's order. Raises SettingsError."""
    try:
        text = path.read_text()
    except OSError as error:
        raise SettingsError(f"Cannot read the Procfile: {error}") from error
    return dict(parse_procfile(text).processes)
