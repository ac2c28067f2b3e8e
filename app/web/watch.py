"""The process's one watch over batches, for all who wait or follow."""

from __future__ import annotations

from flask import current_app

from app.batches.watching import BatchWatch
from app.web.services import services

ALIVE = "batchline.alive"
"""Under this the server leaves a function that says whether the process goes on."""
_WATCH = "batchline.watch"


def batch_watch() -> BatchWatch:
    """The one, made when it is first asked for."""
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
