"""From items to slices: each of one operation, in its queue, with the limits that it is under."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from app.batches.phase import CALLING
from app.db.statements.batches import BatchRow
from app.db.statements.item_planning import DueItem
from app.messaging.broker import SLOW_QUEUE
from handlers import Operation, Registry
from workers.engine.plan.sizes import Sizes
from workers.engine.planned_slice import PlannedSlice


class Cutter:
    """Cuts slices of one batch."""

    def __init__(self, registry: Registry, sizes: Sizes, batch: BatchRow) -> None:
        self.batch = batch
        self.sizes = sizes
        self._registry = registry

    def ranges(self, first: int, end: int, size: int) -> list[PlannedSlice]:
        """Ranges of `size` items that follow one another, up to `end`."""
        operation = self.batch.operation
        queue = self.sizes.queue(operation)
        limited = self._limited([operation])
        return [
            PlannedSlice(
                start,
                min(start + size, end) - 1,
                min(size, end - start),
                queue,
                operation,
                limited=limited,
            )
            for start in range(first, end, size)
        ]

    def picked(self, indexes: list[int], operation: str | None) -> PlannedSlice:
        """A slice of these items, which are of one operation."""
        operation = operation or self.batch.operation
        return _slice(indexes, operation, self.sizes.queue(operation), self._limited([operation]))

    def picked_items(self, items: Sequence[DueItem]) -> PlannedSlice:
        """A slice of these items, which may be of several operations."""
        named = {item.operation or self.batch.operation for item in items}
        operations = sorted(filter(None, named))
        queues = sorted({self.sizes.queue(operation) for operation in operations})
        return _slice(
            [item.index for item in items],
            operations[0] if len(operations) == 1 else None,
            SLOW_QUEUE if SLOW_QUEUE in queues else queues[0],
            self._limited(operations),
        )

    def by_operation(
        self, items: Iterable[DueItem], *, size: int | None = None
    ) -> Iterator[PlannedSlice]:
        """Slices of `size` items, or of what their operation has cost lately."""
        groups: dict[str | None, list[int]] = {}
        for item in items:
            groups.setdefault(item.operation or self.batch.operation, []).append(item.index)
        for operation, indexes in groups.items():
            step = size or self.sizes.size(operation, len(indexes))
            for start in range(0, len(indexes), step):
                yield self.picked(indexes[start : start + step], operation)

    def operation_of(self, item: DueItem) -> Operation | None:
        """The item's operation, None for one that is not registered."""
        return self._registry.get(item.operation or self.batch.operation)

    def gathers(self, operation: str | None) -> bool:
        """Whether deferred items of the operation are tried all at once: see Operation."""
        known = self._registry.get(operation)
        return known is not None and known.gathers

    def _limited(self, operations: Iterable[str | None]) -> list[str] | None:
        """Those with a limit over all workers, of operations that are to be run."""
        if self.batch.phase not in CALLING:
            return None
        known = filter(None, map(self._registry.get, operations))
        return [operation.name for operation in known if operation.limited] or None


def _slice(
    indexes: list[int], operation: str | None, queue: str, limited: list[str] | None
) -> PlannedSlice:
    picks = sorted(indexes)
    return PlannedSlice(picks[0], picks[-1], len(picks), queue, operation, picks, limited)
