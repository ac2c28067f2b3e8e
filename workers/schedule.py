"""How often things happen: counted in seconds that have passed, not in moments of the wall clock.

A clock that is wrong, or is put right, neither holds the sweep up nor has it come in a heap.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

from celery.schedules import schedule

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def every(seconds: float) -> schedule:
    """A schedule of beat's that is due every so many seconds of its process's life."""
    return schedule(timedelta(seconds=seconds), nowfun=_now)


def _now() -> datetime:
    """Like a time of day for beat, which asks for one; it means nothing outside of this process."""
    return _EPOCH + timedelta(seconds=time.monotonic())


class Pace:
    """Lets a step be made every so many seconds in this process. Safe to share between threads."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0
        self._lock = threading.Lock()

    def step(self) -> bool:
        """Whether one may be made now; then it counts as made."""
        with self._lock:
            now = time.monotonic()
            if now < self._next:
                return False
            self._next = now + self._seconds
            return True
