"""How many items a batch may have, by the API that it came by.

A dialect's own limit holds for its batches however they are filled, since its answers show all of
a batch, or pages of a size that its document says. Each dialect tells its limit when it is
registered; the native API does not know the dialects.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask, current_app

from app.core.settings import Settings
from app.web.services import services

Limit = Callable[[Settings], int]
_LIMITS = "batchline.item_limits"


def limit_items(flask: Flask, dialect: str, limit: Limit) -> None:
    """Let a batch that came by `dialect` have at most so many items."""
    flask.extensions.setdefault(_LIMITS, {})[dialect] = limit


def most_items(dialect: str) -> int:
    """The most items that a batch may have which came by `dialect` (or natively)."""
    settings = services().settings
    limit: Limit | None = current_app.extensions.get(_LIMITS, {}).get(dialect)
    most = settings.max_items_stream
    return most if limit is None else min(most, limit(settings))
