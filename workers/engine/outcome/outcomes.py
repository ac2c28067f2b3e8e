"""What became of some items of a slice, as it is gathered while the slice runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from workers.engine.retries.policy import RetryLater


@dataclass(slots=True)
class Completed:
    """What a handler's `Outcome` comes to, once it is known that it can be stored.

    `result`: JSON text, None for nothing. `pace`: as the handler said it. (Not frozen, which takes
    four times as long to make: there is one for every item.)
    """

    result: str | None = None
    message: str | None = None
    pace: float | None = None


Verdict = Completed | Exception
"""What one call of a handler came to for an item: it completed, or the exception says why not."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An item that ended INVALID or FAILED. `attempts`: tries this run used up, 0 or 1.

    `operation`: the item's; None where that cannot be told.
    """

    index: int
    operation: str | None
    status: str
    code: int
    message: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """An item that waits, untried, for a worker that has its operation. `wait`: seconds."""

    index: int
    wait: float
    message: str


@dataclass(slots=True)
class Outcomes:
    """What is to be written of some items of a slice.

    `succeeded`: index, result as JSON, message. `left`: indexes of those that the slice gives up
    without having tried them; they are due again at once. `held`: index, and the breaker that the
    item waits for, untried.
    """

    succeeded: list[tuple[int, str | None, str | None]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    retry_later: list[RetryLater] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    held: list[tuple[int, int]] = field(default_factory=list)

    @property
    def failed(self) -> int:
        """How many ended FAILED."""
        return sum(failure.status == "FAILED" for failure in self.failures)

    @property
    def invalid(self) -> int:
        """How many ended INVALID."""
        return len(self.failures) - self.failed

    def __len__(self) -> int:
        """Of how many items."""
        return sum(map(len, self._kinds()))

    def add(self, other: Outcomes) -> None:
        """Take in `other`'s."""
        self.succeeded += other.succeeded
        self.failures += other.failures
        self.retry_later += other.retry_later
        self.left += other.left
        self.waiting += other.waiting
        self.held += other.held

    def clear(self) -> None:
        """Forget all: it has been written."""
        for kind in self._kinds():
            kind.clear()

    def indexes(self) -> Iterator[int]:
        """The items' indexes."""
        yield from (index for index, _, _ in self.succeeded)
        yield from (failure.index for failure in self.failures)
        yield from (late.index for late in self.retry_later)
        yield from self.left
        yield from (item.index for item in self.waiting)
        yield from (index for index, _ in self.held)

    def halves(self) -> tuple[Outcomes, Outcomes]:
        """The same in two, of which each has at least one item where there are two."""
        first, second, room = Outcomes(), Outcomes(), len(self) // 2
        for mine, one, other in zip(self._kinds(), first._kinds(), second._kinds(), strict=True):
            one += mine[:room]
            other += mine[room:]
            room -= len(mine[:room])
        return first, second

    def _kinds(self) -> tuple[list[Any], ...]:
        return (
            self.succeeded,
            self.failures,
            self.retry_later,
            self.left,
            self.waiting,
            self.held,
        )
