"""A batch that begins in steps: after each it is looked at whether too much of that failed.

A step is the next so many items, in the order of their indexes, and nothing behind it begins before
it is over: all of it has ended, or waits for items that are not in it. docs/states.md draws it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate, pairwise
from typing import Any

from app.core.lifecycle import HELD_BY_RAMP

AUTO = "auto"
APPROVE = "approve"
HOLDS = (AUTO, APPROVE)
MOST_STEPS = 100
MOST_ITEMS = 2**31 - 1
"""In all steps together."""


@dataclass(frozen=True, slots=True)
class Step:
    """The items from `first` up to `end`. `following`: where the next ends; None for the rest."""

    first: int
    end: int
    following: int | None


@dataclass(frozen=True, slots=True)
class Ramp:
    """What a caller wants a batch to begin with.

    `steps`: how many items each has, 1 or more. `hold`: AUTO, or APPROVE to pause after each step.
    `max_failure_percent`: of a step's items, 0 to 100; a larger share FAILED or INVALID pauses.
    """

    steps: tuple[int, ...]
    hold: str = AUTO
    max_failure_percent: Decimal = Decimal(0)

    def stored(self) -> dict[str, Any]:
        """As it stands in the batch's row."""
        return {
            "steps": list(self.steps),
            "hold": self.hold,
            "maxFailurePercent": self.max_failure_percent,
        }

    def step_that_ends(self, end: int) -> Step:
        """The step that ends there. Raises KeyError where none does."""
        ends = [0, *accumulate(self.steps)]
        following = dict(zip(ends, [*ends[1:], None], strict=True))
        first = {after: before for before, after in pairwise(ends)}
        return Step(first[end], end, following[end])

    def too_much(self, step: Step, failures: int) -> bool:
        """Whether so many of the step's items are more than may fail. Equal is not more."""
        return 100 * failures > self.max_failure_percent * (step.end - step.first)

    def reason_to_hold(self, step: Step, failures: int) -> str | None:
        """The `stopReason` of a batch that is held after the step; None: for approval alone."""
        return HELD_BY_RAMP if self.too_much(step, failures) else None


def ramp_of(stored: Mapping[str, Any]) -> Ramp:
    """The ramp that stands in a batch's row."""
    percent = Decimal(str(stored["maxFailurePercent"]))
    return Ramp(tuple(stored["steps"]), stored["hold"], percent)


def first_values(ramp: Ramp | None, *, dry_run: bool) -> dict[str, Any]:
    """The columns of a new batch that are about this. A dry run has no effect to be careful of."""
    steps = None if ramp is None or dry_run else ramp.steps
    return {
        "ramp": None if ramp is None else ramp.stored(),
        "ramp_end": steps[0] if steps else None,
        "ramp_wave": 0 if steps else None,
    }
