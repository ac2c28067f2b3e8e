"""Who asks on although it is told to wait: it is told later, each time.

A refusal (429) is cheap, and who sends the next request as soon as it has one makes hundreds a
second: each is a head to be read, a thread, a look at its credentials and its quota, maybe a body
that nobody reads. So past a few in a second of one client they are held back for a moment, in the
loop, where they cost nothing. Who waits as `Retry-After` says notices nothing of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable

MOST = 10
"""Refusals of one client within a second that are told at once."""
_SECOND = 1.0
_MOST_CLIENTS = 1000


class Insistence:
    """Counts the refusals of each client, second by second; safe to share between threads.

    Those whom nobody knows (None) count as one. Of each process; of at most a thousand clients
    in a second, beyond which nobody is held back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._since = float("-inf")
        self._now: dict[Hashable, int] = {}
        self._before: dict[Hashable, int] = {}

    def refused(self, client: Hashable) -> bool:
        """The client is refused once more; whether it is to be told later."""
        with self._lock:
            passed = self._clock() - self._since
            if passed >= _SECOND:
                self._before = self._now if passed < 2 * _SECOND else {}
                self._now = {}
                self._since = self._clock()
            count = self._now.get(client, 0) + 1
            if count > 1 or len(self._now) < _MOST_CLIENTS:
                self._now[client] = count
            # Who went too far within the second before has not waited since.
            return count > MOST or (count > 1 and self._before.get(client, 0) > MOST)
