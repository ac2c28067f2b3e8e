"""Whether an item whose try failed is tried again, and when.

An operation says it in three fields: `max_attempts` tries in all, waits that begin at
`backoff_seconds` and double up to `backoff_cap_seconds`. A handler's `Retry` may name its own wait.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from handlers import Operation, Retry

LONGEST_WAIT = 365 * 24 * 3600.0
"""Seconds; a handler that asks for more gets this."""


@dataclass(frozen=True, slots=True)
class RetryLater:
    """An item to be tried again `wait` seconds from now. `attempts`: 1 for a retry, 0 deferred."""

    index: int
    wait: float
    code: int
    message: str
    attempts: int


def seconds_to_next_try(operation: Operation, attempt: int, error: Exception) -> float | None:
    """How long to wait after try number `attempt` failed by `error`; None where it was the last."""
    if attempt >= operation.max_attempts:
        return None
    asked = _usable(error.after) if isinstance(error, Retry) else None
    return backoff(operation, attempt) if asked is None else asked


def backoff(operation: Operation, attempt: int) -> float:
    """Seconds to wait after failed try number `attempt`: doubling, capped, with jitter."""
    longest = min(operation.backoff_cap_seconds, operation.backoff_seconds * 2 ** (attempt - 1))
    return random.uniform(longest / 2, longest)  # noqa: S311 (spreads load, guards nothing)


def _usable(after: object) -> float | None:
    """Seconds, as a handler said them; None where it did not say a number."""
    try:
        seconds = float(after)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return None if math.isnan(seconds) else min(max(0.0, seconds), LONGEST_WAIT)
