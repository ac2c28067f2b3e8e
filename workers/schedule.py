"""How often things happen: in seconds since the process started, not by the time of day.

A clock that is wrong, or is corrected, neither delays the sweep nor makes many sweeps due at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from celery.schedules import schedule

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def every(seconds: float) -> schedule:
    """A schedule for beat that is due every `seconds` of its process's life."""
    return schedule(timedelta(seconds=seconds), nowfun=_now)


def _now() -> datetime:
    """Like a time of day for beat, which asks for one; it means nothing outside of this process."""
    return _EPOCH + timedelta(seconds=time.monotonic())


class Pace:
    """Allows a step every `seconds` in this process. Safe to share between threads.

    `clock`: a monotonic one, in seconds.
    """

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._next = 0.0
        self._lock = threading.Lock()

    def step(self) -> bool:
        """Whether a step may be made now. If so it counts as made."""
        with self._lock:
            now = self._clock()
            if now < self._next:
                return False
            self._next = now + self._seconds
            return True
