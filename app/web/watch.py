"""The process's one watch over batches, for all requests that wait for a batch or follow it."""

from __future__ import annotations

from flask import current_app

from app.batches.watching import BatchWatch
from app.web.services import services

ALIVE = "batchline.alive"
"""The extension in which the server leaves a function: does the process go on?"""
_WATCH = "batchline.watch"


def batch_watch() -> BatchWatch:
    """The process's watch, made on first use."""
    watch: BatchWatch | None = current_app.extensions.get(_WATCH)
    if watch is None:
        here = services()
        made = BatchWatch(
            here.engine,
            here.redis,
            most=max(1, here.settings.web_threads * 4 // 5),
            alive=current_app.extensions.get(ALIVE, lambda: True),
        )
        watch = current_app.extensions.setdefault(_WATCH, made)
    return watch
