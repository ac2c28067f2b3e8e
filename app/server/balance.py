"""How many connections each process of this server has, where all of them can see it.

All processes wait on one socket, and whoever wakes up first would take what comes: of eight callers
that keep their connections one process may have all, and uses one core while another stands idle.
So a process that has more than another leaves a new connection to it, for `MOMENT` at most: one
that is busy, or stuck, keeps nobody waiting for longer.
"""

from __future__ import annotations

import mmap
import time

_MOST = 64
MOMENT = 0.004
"""Seconds that a connection is left to a process with fewer."""


class Counts:
    """A number for each process, in memory that those forked after it was made share.

    Processes go by their `age`, which gunicorn counts up. Each writes its own number only; where it
    is read amid that, a connection goes to another process than it would have.
    """

    def __init__(self) -> None:
        # One more than there are; 0 where there is no process.
        self._counts = memoryview(mmap.mmap(-1, 4 * _MOST)).cast("i")

    def tell(self, age: int, connections: int) -> None:
        """The process has so many."""
        self._counts[age % _MOST] = connections + 1

    def forget(self, age: int) -> None:
        """The process has ended."""
        self._counts[age % _MOST] = 0

    def others_have_less(self, age: int) -> bool:
        """Whether there is another process with fewer connections."""
        mine = self._counts[age % _MOST]
        return any(0 < count < mine for count in self._counts)


COUNTS = Counts()
"""Made when the parent process imports this, which it does before it forks."""


class Waiting:
    """Whether a process leaves the next connection to others just now."""

    def __init__(self, age: int, counts: Counts = COUNTS) -> None:
        self._age = age
        self._counts = counts
        self._until: float | None = None
        self._has_waited = False

    def begins(self) -> bool:
        """Whether it waits before it takes one more. It does not wait twice for the same one."""
        has_waited, self._has_waited = self._has_waited, False
        if has_waited or not self._counts.others_have_less(self._age):
            return False
        self._until = time.monotonic() + MOMENT
        return True

    def is_over(self) -> bool:
        """Whether it has waited, and may take one now. True once."""
        if self._until is None or time.monotonic() < self._until:
            return False
        self._until, self._has_waited = None, True
        return True

    def was_taken(self) -> None:
        """The one that it waited for is another's: it waits for the next one again."""
        self._has_waited = False

    def left(self) -> float | None:
        """Seconds until that; None where it does not wait."""
        return None if self._until is None else max(0.0, self._until - time.monotonic())
