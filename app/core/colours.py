"""Whether a terminal is written to in colours."""

from __future__ import annotations

import os


def colours_wanted() -> bool:
    """False where the terminal knows none (`TERM=dumb`), or who sits there wants none (`NO_COLOR`).

    It says nothing of whether there is a terminal at all.
    """
    return os.environ.get("TERM") != "dumb" and not os.environ.get("NO_COLOR")
