"""How much of a process is at work, and when it last took something to do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Slots:
    """Counts what a process of `total` slots has under way. Safe to share between threads.

    `clock`: a monotonic one, in seconds.
    """

    def __init__(self, total: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.total = total
        self.busy = 0
        self.taken = 0
        self._clock = clock
        self._took_at = clock()
        self._counting = threading.Lock()

    def began(self) -> None:
        """A slot took a message."""
        with self._counting:
            self.busy += 1
            self.taken += 1
            self._took_at = self._clock()

    def ended(self) -> None:
        """A slot is free again."""
        with self._counting:
            self.busy = max(0, self.busy - 1)

    @property
    def idle(self) -> float:
        """Seconds since it last took a message, or since it started."""
        return self._clock() - self._took_at
