"""The APIs of other systems that are already in the field, all on the same domain functions.

A client written for one of them works against Batchline by changing the host. Each is a package
here, with its routes, schemas, words, examples and, where it has any, tables of its own. What they
share is in `app.dialects.common`; docs/dialects.md shows how another one is added.
"""

from __future__ import annotations

from flask import Flask

from app.dialects import fluent, gameball, kibo, nilo, quartile
from app.dialects.common.dialect import Dialect

DIALECTS: tuple[Dialect, ...] = (
    nilo.dialect,
    quartile.dialect,
    kibo.dialect,
    gameball.dialect,
    fluent.dialect,
)


def register(flask: Flask) -> None:
    """Serve every dialect from `flask`."""
    for dialect in DIALECTS:
        dialect.register(flask)
