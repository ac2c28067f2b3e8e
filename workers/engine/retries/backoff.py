"""How long an item waits for its next try."""

from __future__ import annotations

import math
import random

from app.core.error_text import attribute_of
from handlers import Operation, Retry

LONGEST_WAIT = 365 * 24 * 3600.0
"""Seconds; a handler that asks for more gets this."""


def wait_after(operation: Operation, attempt: int, error: Exception) -> float:
    """Seconds to wait after try number `attempt` failed by `error`.

    What a `Retry` asks for, if it asks for something, else `backoff`.
    """
    asked = _usable(attribute_of(error, "after")) if isinstance(error, Retry) else None
    return backoff(operation, attempt) if asked is None else asked


def backoff(operation: Operation, attempt: int) -> float:
    """Seconds to wait after failed try number `attempt`: doubling, capped, with jitter."""
    longest = min(operation.backoff_cap_seconds, operation.backoff_seconds * 2 ** (attempt - 1))
    return random.uniform(longest / 2, longest)  # noqa: S311 (spreads load, guards nothing)


def _usable(after: object) -> float | None:
    """Seconds, as a handler said them; None where it did not say a number."""
    try:
        seconds = float(after)  # type: ignore[arg-type]
    except BaseException:  # `after` is somebody else's object
        return None
    return None if math.isnan(seconds) else min(max(0.0, seconds), LONGEST_WAIT)
