"""Where the Procfile and the example batches are: in the clone's folder, or in the wheel."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[3]
"""The folder that holds our packages: the clone, or site-packages."""

_IN_A_WHEEL = Path(__file__).parent / "files"  # setup.py puts it there

SHIPPED = _IN_A_WHEEL if _IN_A_WHEEL.is_dir() else ROOT
"""The folder that holds the Procfile and `examples`."""
