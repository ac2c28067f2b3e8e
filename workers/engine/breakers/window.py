"""How many tries went well within a breaker's window, as one process counts its own."""

from __future__ import annotations

from collections import deque

_PARTS = 10


class Window:
    """Counts of the last `within` seconds, in tenths of them: what is older goes a tenth at once.

    Not safe between threads. Takes a few numbers, whatever is counted.
    """

    def __init__(self, within: float) -> None:
        self.within = within
        self._parts: deque[tuple[int, int]] = deque(maxlen=_PARTS)

    def add(self, number: int, now: float) -> None:
        """So many at this moment (monotonic seconds)."""
        part = self._part(now)
        if self._parts and self._parts[-1][0] == part:
            number += self._parts.pop()[1]
        self._parts.append((part, number))

    def total(self, now: float) -> int:
        """How many there were within the window."""
        first = self._part(now) - _PARTS
        return sum(number for part, number in self._parts if part > first)

    def _part(self, now: float) -> int:
        return int(now * _PARTS / self.within)
