"""How much of a long work is done in one go."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """`items`: how many a step looks at, at most. `seconds`: for how long steps are made."""

    items: int
    seconds: float


# A step of ten thousand takes 0.1 s on a quiet machine, and some tenths where every page has to be
# written out anew. Others who want the batch's row wait for no more than that.
_STEP = 10_000

PAUSE = 0.005
"""Seconds between two steps. Without them whoever waits for the batch's row would not get it: by
the time that it wakes up, the next step has taken it."""

IN_REQUEST = Pace(_STEP, 0.5)
"""Before an answer: small batches are done by then, and for others it comes soon."""
BEHIND = Pace(_STEP, 2.0)
"""In a worker, which then sends for itself, so that others have their turn."""
