"""How many slices the live workers run at once."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import Connection

from app.db.statements.workers import COUNT_SLOTS


class SlotCount:
    """Slots of the live workers of a line, "fast" or "slow"; read at most once in `every` seconds.

    `stale`: seconds without a heartbeat after which a worker is taken for dead.
    """

    def __init__(
        self,
        stale: float = 12.0,
        every: float = 0.0,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stale = stale
        self._every = every
        self._clock = clock
        self._known: dict[str, tuple[float, int]] = {}

    def of(self, connection: Connection, queue: str) -> int:
        """How many there are, at least 1."""
        known = self._known.get(queue)
        now = self._clock()
        if known is None or now - known[0] >= self._every:
            found = connection.execute(COUNT_SLOTS, {"queue": queue, "stale": self._stale})
            known = self._known[queue] = now, max(1, int(found.scalar_one()))
        return known[1]
