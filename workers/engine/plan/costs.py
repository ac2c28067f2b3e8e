"""How many items make a slice: about as many as take `slice_target_seconds`."""

from __future__ import annotations

from sqlalchemy import Connection

from app.core.settings import Settings
from app.db.statements.operations import GET_COST, LEARN_COST
from handlers import Operation

# Weight of a new wave against the figure so far, which is gone after a few waves.
_WEIGHT = 0.4
# Seconds. A wave that took less weighs less: most of its time was overhead, not its items.
_TELLING_SECONDS = 0.5

# A bulk statement has a fixed cost, however few its items. If it waits for locks or a busy
# machine, smaller slices only make each item seem dearer, and slices would shrink further and
# further. So they are not cut below this many items, as long as those take at most this many
# seconds.
_LEAST_BULK = 100
_LONGEST_BULK_SECONDS = 1.0


def slice_size(connection: Connection, settings: Settings, operation: Operation | None) -> int:
    """Items for one slice of `operation`, from 1 to `max_slice_items`.

    Before the first measurement: what the operation says itself, or a guess, which is many if it is
    bulk, and one if each item may wait for a network.
    """
    if operation is None:
        return settings.max_slice_items
    cost: float | None = connection.execute(GET_COST, {"operation": operation.name}).scalar()
    if cost is None:
        guess = operation.slice_items or (
            500 if operation.bulk else 50 if operation.in_database else 1
        )
        return min(guess, settings.max_slice_items)
    cost = max(cost, 1e-6)
    size = int(settings.slice_target_seconds / cost)
    if operation.bulk and operation.in_database:
        size = max(size, min(_LEAST_BULK, int(_LONGEST_BULK_SECONDS / cost)))
    return max(1, min(settings.max_slice_items, size))


def learn(connection: Connection, operation: str, *, items: int, seconds: float) -> None:
    """Note that `items` of `operation` took `seconds` of one worker process."""
    if items > 0:
        connection.execute(
            LEARN_COST,
            {
                "operation": operation,
                "seconds": seconds / items,
                "weight": _WEIGHT * min(1.0, seconds / _TELLING_SECONDS),
            },
        )
