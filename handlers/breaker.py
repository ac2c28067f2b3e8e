"""A breaker: when an operation is left alone because what it needs is away."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

LONGEST_WITHIN = 3600.0
LONGEST_REST = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Breaker:
    """When to leave an operation alone, and for how long: `@operation(..., breaker=Breaker())`.

    `failures`: the share of tries that fail for a reason outside the item, above 0 and at most 1;
    `of`: tries that there must be at least; `within`: seconds that they are counted for, at most an
    hour; `rest`: seconds after which one item tries whether all is well again, at most a day. It
    counts over all workers, and holds for all of them.
    """

    failures: float = 0.5
    of: int = 20
    within: float = 30
    rest: float = 15

    def reached(self, *, failed: int, tried: int) -> bool:
        """Whether so many failures among so many tries are too many."""
        return tried >= self.of and failed >= float(self.failures) * tried


def flaws_of(breaker: object) -> Iterator[str]:
    """What is wrong with that value of the option `breaker`, each in a few words."""
    if not isinstance(breaker, Breaker):
        yield f"breaker must be a Breaker, not {breaker!r}"
        return
    of: object = breaker.of
    if isinstance(of, bool) or not isinstance(of, int) or of < 1:
        yield f"breaker: of must be a whole number above 0, not {of!r}"
    for name, most in (("failures", 1), ("within", LONGEST_WITHIN), ("rest", LONGEST_REST)):
        value: object = getattr(breaker, name)
        number = isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or not 0 < value <= most:  # type: ignore[arg-type,operator]
            yield f"breaker: {name} must be a number above 0 and at most {most:g}, not {value!r}"
