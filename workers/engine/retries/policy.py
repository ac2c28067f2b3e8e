"""Whether an item whose try failed is tried again, and when.

An operation says it in three fields: `max_attempts` tries in all (`attempts.py`), waits that begin
at `backoff_seconds` and double up to `backoff_cap_seconds` (`backoff.py`). A handler's `Retry` may
name its own wait.
"""

from __future__ import annotations

from dataclasses import dataclass

from handlers import Operation
from workers.engine.retries.attempts import may_try_again
from workers.engine.retries.backoff import wait_after


@dataclass(frozen=True, slots=True)
class RetryLater:
    """An item to be tried again `wait` seconds from now.

    `attempts`: whether the try counts (COUNTED for a retry, NOT_COUNTED for a deferral).
    """

    index: int
    wait: float
    code: int
    message: str
    attempts: int


def seconds_to_next_try(operation: Operation, attempt: int, error: Exception) -> float | None:
    """How long to wait after try number `attempt` failed by `error`; None where it was the last."""
    return wait_after(operation, attempt, error) if may_try_again(operation, attempt) else None
