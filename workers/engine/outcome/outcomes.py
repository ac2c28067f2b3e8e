"""What became of some items of a slice, as it is gathered while the slice runs."""

from __future__ import annotations

from dataclasses import dataclass, field

from workers.engine.retries.policy import RetryLater


@dataclass(frozen=True, slots=True)
class Failure:
    """An item that ended INVALID or FAILED. `attempts`: tries this run used up, 0 or 1."""

    index: int
    status: str
    code: int
    message: str
    attempts: int


@dataclass(slots=True)
class Outcomes:
    """What is to be written of some items of a slice.

    `succeeded`: index, result as JSON, message. `left`: indexes of those that the slice gives up
    without having tried them; they are due again at once.
    """

    succeeded: list[tuple[int, str | None, str | None]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    retry_later: list[RetryLater] = field(default_factory=list)
    left: list[int] = field(default_factory=list)

    @property
    def failed(self) -> int:
        """How many ended FAILED."""
        return sum(failure.status == "FAILED" for failure in self.failures)

    @property
    def invalid(self) -> int:
        """How many ended INVALID."""
        return len(self.failures) - self.failed

    def add(self, other: Outcomes) -> None:
        """Take in `other`'s."""
        self.succeeded += other.succeeded
        self.failures += other.failures
        self.retry_later += other.retry_later
        self.left += other.left

    def clear(self) -> None:
        """Forget all: it has been written."""
        for kind in (self.succeeded, self.failures, self.retry_later, self.left):
            kind.clear()
