"""How many items make a slice: about as many as take `slice_target_seconds`."""

from __future__ import annotations

from sqlalchemy import Connection

from app.core.settings import Settings
from app.db.statements.operations import GET_COST, LEARN_COST
from handlers import Operation

# How much a new wave weighs against what was known: a few waves, and the old figure is gone.
_WEIGHT = 0.4
# One that took less than this weighs less: of a few quick items the most was not theirs.
_TELLING_SECONDS = 0.5

# A bulk statement has a cost of its own, however few its items. Where it waits for locks or for a
# busy machine, cutting slices smaller only makes each item seem to cost more, and they would shrink
# until nothing but that is paid. So they are not cut below this many, as long as those take at most
# so many seconds.
_LEAST_BULK = 100
_LONGEST_BULK_SECONDS = 1.0


def slice_size(connection: Connection, settings: Settings, operation: Operation | None) -> int:
    """Items for one slice of `operation`, from 1 to `max_slice_items`.

    What has not been measured yet begins with what the operation says of itself, or with a guess:
    many where a bulk statement does them, one where each may wait for a network.
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
