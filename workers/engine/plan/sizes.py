"""How large the slices of a wave are, how many there are of them, and in which queue they wait.

An operation with a rate limit gets small slices, and a wave of no more of them than a few
seconds' worth, so that its turn is shared with the other batches that wait for it.
"""

from __future__ import annotations

from sqlalchemy import Connection

from app.core.settings import Settings
from app.db.statements.workers import COUNT_SLOTS
from app.messaging.broker import EXPRESS_QUEUE, FAST_QUEUE, SLOW_QUEUE
from handlers import Registry
from workers.engine.plan.costs import slice_size

_MIN_WAVE_SLICES = 8
_SLICES_A_SLOT = 8
_LIMITED_WAVE_SECONDS = 5
_SMALL_BATCH = 500
# A slice with fewer items costs more to send than to process.
_LEAST_SHARE = 100


class Sizes:
    """Sizes for one plan of a batch of `total` items. Worker slots are counted once."""

    def __init__(
        self, connection: Connection, settings: Settings, registry: Registry, total: int
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._registry = registry
        self._total = total
        self._slots: dict[str, int] = {}

    def size(self, operation: str | None, left: int) -> int:
        """Items for one slice: the measured size, or fewer so that every process gets a slice.

        `left`: items that are still to be put into slices.
        """
        known = self._registry.get(operation)
        size = slice_size(self._connection, self._settings, known)
        if known is not None and known.rate_limit is not None:
            size = max(1, min(size, int(known.rate_limit * self._settings.slice_target_seconds)))
        share = -(-left // self._live_slots(self.queue(operation)))
        return max(1, min(size, max(share, min(size, _LEAST_SHARE))))

    def wave_slices(self, operation: str | None) -> int:
        """Slices for one wave: a few for each worker slot."""
        slices = max(_MIN_WAVE_SLICES, _SLICES_A_SLOT * self._live_slots(self.queue(operation)))
        known = self._registry.get(operation)
        if known is None:
            return slices
        if known.concurrency is not None:
            slices = min(slices, max(_MIN_WAVE_SLICES, _SLICES_A_SLOT * known.concurrency))
        if known.rate_limit is not None:
            a_second = known.rate_limit / self.size(operation, self._total)
            slices = min(slices, max(2, int(a_second * _LIMITED_WAVE_SECONDS)))
        return slices

    def queue(self, operation: str | None) -> str:
        """The queue that its slices wait in."""
        known = self._registry.get(operation)
        if known is not None and known.queue == "slow":
            return SLOW_QUEUE
        # A small batch overtakes the waves of the large ones.
        return EXPRESS_QUEUE if self._total <= _SMALL_BATCH else FAST_QUEUE

    def _live_slots(self, queue: str) -> int:
        consumers = SLOW_QUEUE if queue == SLOW_QUEUE else FAST_QUEUE
        if consumers not in self._slots:
            found = self._connection.execute(
                COUNT_SLOTS, {"queue": consumers, "stale": self._settings.heartbeat_timeout}
            ).scalar_one()
            self._slots[consumers] = max(1, int(found))
        return self._slots[consumers]
