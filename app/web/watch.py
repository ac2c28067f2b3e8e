"""The process's one watch over batches, for all requests that wait for a batch or follow it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from flask import current_app

from app.batches.watching import BatchWatch
from app.web.services import services
from app.web.turns import resting

ALIVE = "batchline.alive"
"""The extension in which the server leaves a function: does the process go on?"""
_WATCH = "batchline.watch"
_PLACES = "batchline.waiting"


class WaitingPlaces:
    """How many each client has waiting in this process: at most `most_each`.

    A tenth of the process's places is so left for others when one client takes all it can. Who
    finds none is answered at once, as one is who comes when all places are taken.
    """

    def __init__(self, most_each: int) -> None:
        self._most_each = most_each
        self._lock = threading.Lock()
        self._waiting: Counter[Hashable] = Counter()

    @contextmanager
    def place(self, client: Hashable) -> Iterator[bool]:
        """A place while the block lasts; False if the client has its share already."""
        with self._lock:
            found = self._waiting[client] < self._most_each
            self._waiting[client] += found
        try:
            yield found
        finally:
            with self._lock:
                self._waiting[client] -= found
                if not self._waiting[client]:
                    del self._waiting[client]


def waiting_places() -> WaitingPlaces:
    """The process's."""
    places: WaitingPlaces = current_app.extensions.setdefault(
        _PLACES, WaitingPlaces(max(1, _most() * 9 // 10))
    )
    return places


def _most() -> int:
    return max(1, services().settings.web_threads * 4 // 5)


def batch_watch() -> BatchWatch:
    """The process's watch, made on first use."""
    watch: BatchWatch | None = current_app.extensions.get(_WATCH)
    if watch is None:
        here = services()
        made = BatchWatch(
            here.engine,
            here.redis,
            most=_most(),
            alive=current_app.extensions.get(ALIVE, lambda: True),
            rest=resting,
        )
        watch = current_app.extensions.setdefault(_WATCH, made)
    return watch
