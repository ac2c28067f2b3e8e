"""When a delivery that was not taken is tried again: ten tries over three days.

The steps are those that Standard Webhooks proposes. The answer's `Retry-After` can make a wait
longer, not shorter.
"""

from __future__ import annotations

import random

_MINUTE = 60
_HOUR = 60 * _MINUTE
WAITS = (
    5,
    5 * _MINUTE,
    30 * _MINUTE,
    2 * _HOUR,
    5 * _HOUR,
    10 * _HOUR,
    14 * _HOUR,
    20 * _HOUR,
    24 * _HOUR,
)
"""Seconds to wait after the first, second, … try."""
LONGEST_WAIT = 24 * _HOUR
_JITTER = 0.1


def next_wait(tries: int, *, retry_after: float | None = None) -> float | None:
    """Seconds until the next try after `tries` of them (1 or more), or None after the last.

    A tenth more or less, so that what failed together is not tried together.
    """
    if tries > len(WAITS):
        return None
    wait = WAITS[tries - 1] * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 (spreads load)
    if retry_after is not None:
        wait = max(wait, min(retry_after, LONGEST_WAIT))
    return wait
