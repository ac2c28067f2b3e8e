"""When a batch has had enough: more of its items failed than its caller allows.

Counted is what has been written. What is under way in that moment, in slices that were claimed
before, goes on up to the item by which its own slice would pass the limit; docs/states.md says how
many items that can be.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from app.core.lifecycle import STOP_MAX_FAILURE_PERCENT, STOP_MAX_FAILURES

DEFAULT_MIN_PROCESSED = 100


@dataclass(frozen=True, slots=True)
class Tally:
    """Items that ended FAILED or INVALID; a retry counts anew.

    `of_share` of `processed`: those that the share of failures is about, which are not those that
    were INVALID before the batch was approved.
    """

    failures: int
    of_share: int
    processed: int

    def with_more(self, *, failures: int, successes: int) -> Tally:
        """The same with those."""
        return Tally(
            self.failures + failures,
            self.of_share + failures,
            self.processed + failures + successes,
        )


@dataclass(frozen=True, slots=True)
class Guards:
    """What a batch's caller allows. Equal is not more.

    `max_failures`: None for any number. `max_failure_percent`: of the processed items, 0 to 100 and
    exact, once `min_processed` are; None for any share.
    """

    max_failures: int | None = None
    max_failure_percent: Decimal | None = None
    min_processed: int = DEFAULT_MIN_PROCESSED

    def passed(self, tally: Tally) -> str | None:
        """The reason to stop the batch, where a limit has been passed."""
        if self.max_failures is not None and tally.failures > self.max_failures:
            return STOP_MAX_FAILURES
        if self._share_passed(tally):
            return STOP_MAX_FAILURE_PERCENT
        return None

    def room(self, tally: Tally) -> int | None:
        """How many items can be tried before one of them can pass a limit, and that one; 1 or more.

        None where none can.
        """
        bounds = []
        if self.max_failures is not None:
            bounds.append(self.max_failures - tally.failures + 1)
        percent = self.max_failure_percent
        if percent is not None and percent < 100:
            spare = percent * tally.processed - 100 * tally.of_share
            enough = int(spare // (100 - percent)) + 1
            bounds.append(max(enough, self.min_processed - tally.processed))
        return max(1, min(bounds)) if bounds else None

    def _share_passed(self, tally: Tally) -> bool:
        percent = self.max_failure_percent
        return (
            percent is not None
            and tally.processed >= self.min_processed
            and 100 * tally.of_share > percent * tally.processed
        )


def guards_of(
    max_failures: int | None, max_failure_percent: Decimal | None, min_processed: int | None
) -> Guards | None:
    """The guards of a batch with these columns; None where it has none, which costs nothing."""
    if max_failures is None and max_failure_percent is None:
        return None
    least = DEFAULT_MIN_PROCESSED if min_processed is None else min_processed
    return Guards(max_failures, max_failure_percent, least)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a slice may still do of its batch's guards, from where the batch was as it began."""

    guards: Guards
    before: Tally

    def passed(self, *, failures: int, successes: int) -> bool:
        """Whether these items of the slice, beside those before, are too many failures."""
        return self.guards.passed(self._tally(failures, successes)) is not None

    def room(self, *, failures: int, successes: int) -> int | None:
        """How many more items can be tried before failures have to be counted again."""
        return self.guards.room(self._tally(failures, successes))

    def _tally(self, failures: int, successes: int) -> Tally:
        return self.before.with_more(failures=failures, successes=successes)
