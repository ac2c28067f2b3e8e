"""A lock that goes round."""

from __future__ import annotations

import threading
from collections import deque


class Turn:
    """A lock that goes to whoever has waited longest, which the one of `threading` does not."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = False
        self._line: deque[threading.Lock] = deque()

    def take(self) -> None:
        """Take it, behind all who wait for it."""
        with self._lock:
            if not self._taken:
                self._taken = True
                return
            mine = threading.Lock()
            mine.acquire()
            self._line.append(mine)
        mine.acquire()

    def leave(self) -> None:
        """Leave it to whoever has waited longest."""
        with self._lock:
            if self._line:
                self._line.popleft().release()
            else:
                self._taken = False

    def waiting(self) -> int:
        """How many wait for it."""
        with self._lock:
            return len(self._line)
