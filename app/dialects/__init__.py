"""The dialects: the APIs of other systems, served by the same engine. A file a dialect."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask

_DIALECTS: tuple[Callable[[Flask], None], ...] = ()


def register(flask: Flask) -> None:
    """Serve every dialect from `flask`, whose native API is registered already."""
    for dialect in _DIALECTS:
        dialect(flask)
