"""The verdict of a soak, on figures that are known."""

from __future__ import annotations

import math

from tests.soak.sampling import Sample
from tests.soak.verdict import verdicts

SECONDS = 600


def _judged(value: float, grows: float) -> bool:
    """Whether something that begins at `value`, and grows by so much a second, levels off."""
    samples: list[tuple[float, Sample]] = [
        (at, {"web 1 rss MiB": value + grows * at + math.sin(at)}) for at in range(0, SECONDS, 10)
    ]
    [verdict] = verdicts(samples)
    return verdict.levels_off


def test_what_grows_evenly_is_found() -> None:
    assert not _judged(100, 0.05)
    assert _judged(100, 0.005)
    assert _judged(100, -1)


def test_what_has_grown_and_stands_still_has_levelled_off() -> None:
    samples: list[tuple[float, Sample]] = [
        (at, {"flower 1 rss MiB": 100 + 80 * (1 - math.exp(-at / 60))})
        for at in range(0, SECONDS, 10)
    ]
    [verdict] = verdicts(samples)
    assert verdict.levels_off
    assert (round(verdict.first), round(verdict.level)) == (100, 180)
