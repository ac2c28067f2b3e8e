"""Where each of the things that were sampled levels off, if it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.soak.sampling import Sample

# What may be added, by the line through it, in the last third of the time: of so many units, or
# of its level, whichever is more. What vacuum takes away comes and goes.
_UNITS = {"rss MiB": 3.0, "files": 3.0, "threads": 2.0, "dead rows": 50_000.0, "keys": 200.0}
_OTHERS = 5.0
_SHARE = 0.03


@dataclass(frozen=True, slots=True)
class Verdict:
    """One thing. `first`, `level`: at the beginning and on average in the last third. `growth`:
    over the last third, by the line that fits best."""

    name: str
    first: float
    level: float
    growth: float
    allowed: float

    @property
    def levels_off(self) -> bool:
        """Whether it has stopped growing."""
        return self.growth <= self.allowed


def verdicts(samples: Sequence[tuple[float, Sample]]) -> list[Verdict]:
    """One for each thing that was there at the end, in order of name. Samples: seconds, values."""
    found = []
    for name in sorted(samples[-1][1]):
        series = [(at, sample[name]) for at, sample in samples if name in sample]
        last = [one for one in series if one[0] >= samples[-1][0] * 2 / 3]
        if len(last) < 3:
            continue
        level = sum(value for _, value in last) / len(last)
        units = next((n for kind, n in _UNITS.items() if name.endswith(kind)), _OTHERS)
        growth = slope(last) * (last[-1][0] - last[0][0])
        found.append(Verdict(name, series[0][1], level, growth, max(units, _SHARE * level)))
    return found


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the line with the least squares."""
    x = sum(at for at, _ in points) / len(points)
    y = sum(value for _, value in points) / len(points)
    spread = sum((at - x) ** 2 for at, _ in points)
    return sum((at - x) * (value - y) for at, value in points) / spread if spread else 0.0
