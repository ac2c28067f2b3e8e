"""The Procfile: which processes there are, a shell line each."""

from __future__ import annotations

from pathlib import Path

from honcho.environ import parse_procfile

from app.core.errors import SettingsError

ROOT = Path(__file__).parents[3]
"""The project's folder, which holds Procfile and examples."""


def load_procfile(path: Path = ROOT / "Procfile") -> dict[str, str]:
    """Name and shell line of every process, in the file's order. Raises SettingsError."""
    try:
        text = path.read_text()
    except OSError as error:
        raise SettingsError(f"Cannot read the Procfile: {error}") from error
    return dict(parse_procfile(text).processes)
