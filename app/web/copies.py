"""What is dear to make, and may be a moment old: made by one thread at a time, for all who ask."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Copy(Generic[Made]):
    """The latest of what a function makes; safe to share between threads.

    However many ask, it is made at most once in `seconds`, and by one thread at a time; others get
    the one before meanwhile, unless that is older than `too_old` seconds: then they wait. What the
    function raises is raised to whoever called it, and the next one tries again.
    """

    def __init__(
        self,
        seconds: float,
        *,
        too_old: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._too_old = too_old
        self._clock = clock
        self._making = threading.Lock()
        self._latest: tuple[float, Made] | None = None

    def get(self, make: Callable[[], Made]) -> Made:
        """The latest, or a new one by `make`."""
        latest = self._latest
        if latest is not None and self._age(latest) < self._seconds:
            return latest[1]
        at_once = latest is None or self._age(latest) >= self._too_old
        if not self._making.acquire(blocking=at_once):
            assert latest is not None  # noqa: S101 (or it would have been waited for)
            return latest[1]
        try:
            latest = self._latest
            if latest is None or self._age(latest) >= self._seconds:
                # As old as what it is made of, and that is looked at from now on.
                latest = self._latest = (self._clock(), make())
            return latest[1]
        finally:
            self._making.release()

    def _age(self, latest: tuple[float, Made]) -> float:
        return self._clock() - latest[0]
