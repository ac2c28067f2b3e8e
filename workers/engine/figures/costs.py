"""What slices cost, a fixed part and a part for each item, and so how many items make one.

A slice should take about `slice_target_seconds`. Small batches tell mostly what the fixed part is,
and must not be taken for dear items; so a line is drawn through what the last slices took, by
their numbers of items.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from app.core.errors import BatchlineError
from app.core.settings import Settings
from app.db import transaction
from app.db.statements.operations import GET_COST, LEARN_COST, CostSums
from app.db.statements.rows import row_of
from handlers import Operation

log = structlog.get_logger(__name__)

# What is known counts this part of itself for each new slice of weight 1.
_KEEP = 0.8
# Seconds. A slice that took less weighs less: most of its time was not its items'.
_TELLING_SECONDS = 0.25
# Where all slices were about as large, nothing tells the parts apart: the fixed part is then taken
# to be this many seconds, or half of it all.
_USUAL_FIXED = 0.005
# Sizes are about alike if they differ by less than this part of their mean.
_ALIKE = 0.2
_LEAST = 1e-6

# A bulk statement that waits for locks or a busy machine makes each item seem dear, and slices
# would shrink further and further. So they are not cut below this many items, as long as those take
# at most this many seconds.
_LEAST_BULK = 100
_LONGEST_BULK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds that a slice takes of one worker: `fixed`, and `per_item` for each of its items."""

    fixed: float
    per_item: float

    def seconds(self, items: int) -> float:
        """What a slice of so many items takes."""
        return self.fixed + self.per_item * items

    def items(self, seconds: float) -> int:
        """How many items take so long; 0 where not even one does."""
        return max(0, int((seconds - self.fixed) / self.per_item + 1e-9))


def cost_of(sums: CostSums) -> Cost:
    """The line through the slices that were summed up."""
    if sums.weight <= 0:  # by a release that knew no parts
        return Cost(0.0, max(_LEAST, sums.seconds_per_item))
    items, seconds = sums.items / sums.weight, sums.seconds / sums.weight
    spread = sums.items_squared / sums.weight - items**2
    if spread < (_ALIKE * items) ** 2:
        fixed = min(_USUAL_FIXED, seconds / 2)
    else:
        together = sums.items_seconds / sums.weight - items * seconds
        fixed = min(max(0.0, seconds - items * together / spread), seconds)
    return Cost(fixed, max(_LEAST, (seconds - fixed) / items))


def slice_items(cost: Cost | None, settings: Settings, operation: Operation) -> int:
    """Items for one slice, from 1 to `max_slice_items`.

    `cost`: None before the first measurement. Then what the operation says itself, or a guess,
    which is many if it is bulk, and one if each item may wait for a network.
    """
    if cost is None:
        guess = operation.slice_items or (
            500 if operation.bulk else 50 if operation.in_database else 1
        )
        return min(guess, settings.max_slice_items)
    size = cost.items(settings.slice_target_seconds)
    if operation.bulk and operation.in_database:
        size = max(size, min(_LEAST_BULK, cost.items(_LONGEST_BULK_SECONDS)))
    return max(1, min(settings.max_slice_items, size))


class CostBook:
    """What operations cost, as this process knows it. Safe to share between threads.

    What is learned is gathered, and written at most once in `every` seconds an operation, in a
    transaction of its own; what is read is kept for as long. So neither small batches nor those who
    wait for a lock pay for it. `every`: 0 for at once. What a process that dies has not written is
    lost: others measure the same.
    """

    def __init__(self, every: float = 0.0, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._every = every
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, Cost | None]] = {}
        self._learned: dict[str, dict[str, float]] = {}
        self._written: dict[str, float] = {}

    def cost(self, connection: Connection, operation: str) -> Cost | None:
        """What its slices cost; None where none has been measured."""
        known = self._known.get(operation)
        now = self._clock()
        if known is None or now - known[0] >= self._every:
            sums = row_of(CostSums, connection.execute(GET_COST, {"operation": operation}))
            known = self._known[operation] = now, None if sums is None else cost_of(sums)
        return known[1]

    def note(self, operation: str, *, items: int, seconds: float) -> None:
        """A slice took so long for so many items."""
        if items <= 0 or seconds <= 0:
            return
        weight = min(1.0, seconds / _TELLING_SECONDS)
        with self._lock:
            sums = self._learned.setdefault(
                operation,
                dict.fromkeys(("weight", "items", "seconds", "items_squared", "items_seconds"), 0),
            )
            # Older ones of those that are not written yet count less already.
            kept = _KEEP**weight
            for name, value in (
                ("weight", 1.0),
                ("items", items),
                ("seconds", seconds),
                ("items_squared", items**2),
                ("items_seconds", items * seconds),
            ):
                sums[name] = sums[name] * kept + value * weight
            sums["keep"] = sums.get("keep", 1.0) * kept

    def write(self, engine: Engine) -> None:
        """Write what was learned, of the operations for which it is time. Never raises."""
        now = self._clock()
        with self._lock:
            due = [
                name
                for name in self._learned
                if self._every <= 0 or now - self._written.get(name, -1e9) >= self._every
            ]
            learned = {name: self._learned.pop(name) for name in due}
            self._written.update(dict.fromkeys(due, now))
        for name, sums in learned.items():
            try:
                with transaction(engine) as connection:
                    connection.execute(LEARN_COST, {"operation": name, **sums})
            except (SQLAlchemyError, BatchlineError) as error:
                log.info("cost.not_written", operation=name, error=str(error))
