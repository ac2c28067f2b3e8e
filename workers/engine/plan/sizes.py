"""How large slices are, how many of a limited operation there may be, and in which queue they wait.

An operation with a rate limit gets small slices, and no more of them than a few seconds' worth, so
that its turn is shared with the other batches that wait for it.
"""

from __future__ import annotations

from sqlalchemy import Connection

from app.messaging.broker import EXPRESS_QUEUE, FAST_QUEUE, SLOW_QUEUE
from workers.engine.figures.costs import slice_items
from workers.engine.runtime import Runtime

_LEAST_LIMITED = 8
_SLICES_A_PLACE = 8
_LIMITED_SECONDS = 5
_SMALL_BATCH = 500
# A slice with fewer items costs more to send than to process.
_LEAST_SHARE = 100


class Sizes:
    """Sizes for one plan of a batch of `total` items."""

    def __init__(self, connection: Connection, runtime: Runtime, total: int) -> None:
        self._connection = connection
        self._runtime = runtime
        self._settings = runtime.settings
        self._registry = runtime.known
        self._own = runtime.registry
        self._total = total
        # Items of a slice, at most.
        self.most: int | None = None

    def size(self, operation: str | None, left: int) -> int:
        """Items for one slice: the measured size, or fewer so that every process gets a slice.

        `left`: items that are still to be put into slices.
        """
        if self.most is not None:
            return self.most
        known = self._registry.get(operation)
        if known is None:
            size = self._settings.max_slice_items
        else:
            cost = self._runtime.costs.cost(self._connection, known.name)
            size = slice_items(cost, self._settings, known)
            if known.rate_limit is not None:
                most = int(known.rate_limit * self._settings.slice_target_seconds)
                size = max(1, min(size, most))
        if left <= min(size, _LEAST_SHARE):
            return size
        share = -(-left // self._runtime.slots.of(self._connection, self._line(operation)))
        return max(1, min(size, max(share, min(size, _LEAST_SHARE))))

    def most_limited(self, operation: str | None) -> int | None:
        """Slices of a limited operation that a batch may have at once; None without a limit.

        They wait for their operation, not for a worker, so room for workers does not bound them.
        Nor does it those of an operation that this process lacks: they may wait for a worker that
        has it.
        """
        known = self._registry.get(operation)
        if operation is not None and operation not in self._own and not (known and known.limited):
            slots = self._runtime.slots.of(self._connection, self._line(operation))
            return max(_LEAST_LIMITED, 2 * slots)
        if known is None or not known.limited:
            return None
        slices = 1_000
        if known.concurrency is not None:
            slices = max(_LEAST_LIMITED, _SLICES_A_PLACE * known.concurrency)
        if known.rate_limit is not None:
            a_second = known.rate_limit / self.size(operation, self._total)
            slices = min(slices, max(2, int(a_second * _LIMITED_SECONDS)))
        return slices

    def queue(self, operation: str | None) -> str:
        """The queue that its slices wait in."""
        if self._line(operation) == SLOW_QUEUE:
            return SLOW_QUEUE
        # A small batch overtakes the waves of the large ones.
        return EXPRESS_QUEUE if self._total <= _SMALL_BATCH else FAST_QUEUE

    def _line(self, operation: str | None) -> str:
        known = self._registry.get(operation)
        return FAST_QUEUE if known is None else known.queue
