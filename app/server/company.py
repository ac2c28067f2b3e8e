"""Whether a client is alone: then it may have more than its share beside others.

Places that are left for others are of no use where there are none; and where there are some, each
request of one client that is at work makes theirs slower, since a process computes one at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

LATELY = 1.0
"""Seconds for which somebody who asked for something counts as being there."""
JUST_NOW = 0.1
"""Seconds for which they count as being at it: what one is answered, they wait for."""

_NEVER = float("-inf")


class Company:
    """Who asked lately. Those whom nobody knows yet (None) are many, and never alone.

    Of each process, for all its places. Threads may share it: what they can make of each other's
    steps is a moment's error in who counts as alone.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: Hashable = None
        self._last_at = _NEVER
        self._other_at = _NEVER

    def comes(self, client: Hashable) -> None:
        """The client asks for something."""
        if client != self._last:
            self._last, self._other_at = client, self._last_at
        self._last_at = self._clock()

    def is_alone(self, client: Hashable) -> bool:
        """Whether nobody else has come lately."""
        return client is not None and self._since_another(client) > LATELY

    def is_beside(self, client: Hashable) -> bool:
        """Whether somebody else has come just now."""
        return self._since_another(client) <= JUST_NOW

    def _since_another(self, client: Hashable) -> float:
        other_at = self._other_at if client == self._last else self._last_at
        return self._clock() - other_at
