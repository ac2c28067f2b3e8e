"""Whether a try failed for a reason outside its item: what its breaker counts."""

from __future__ import annotations

from decimal import Decimal

from app.core.error_text import attribute_of
from handlers import Reject, Retry
from handlers.contract import Problem
from workers.engine.outcome.classify import CannotBeStored
from workers.engine.outcome.outcomes import Completed
from workers.engine.process.time_limit import HandlerRaised, TimeLimitExceeded
from workers.engine.run.given_connection import TransactionEnded

TOO_MANY = 429
LONGEST_PACE = 3600.0
"""Seconds: whoever asks for more is asked again after so many."""
# Clients of HTTP whose errors a handler may let through, and their names for "no answer came".
_CLIENTS = ("httpx", "httpcore", "requests", "urllib3", "aiohttp")
_NO_ANSWER = (
    "TransportError",
    "TimeoutException",
    "Timeout",
    "ConnectionError",
    "ClientConnectionError",
    "HTTPError",
)


def is_outside(verdict: object) -> bool:
    """Whether it says so: a `Retry`, a time limit, 429 or 5xx, no connection.

    Not a `Retry` with 429 that says when to come again: whoever answers so is there, and asks for a
    pace.
    """
    error = verdict.original if isinstance(verdict, HandlerRaised) else verdict
    if not isinstance(error, BaseException):
        return False
    if isinstance(error, Problem):
        return _problem_is(error)
    if isinstance(error, (ConnectionError, TimeoutError)):
        return True
    status = attribute_of(attribute_of(error, "response"), "status_code")
    if status is not None:
        return _is_outside_status(status)
    return any(
        kind.__module__.partition(".")[0] in _CLIENTS and kind.__name__ in _NO_ANSWER
        for kind in type(error).__mro__
    )


def pace_asked_by(verdict: object) -> float | None:
    """Seconds that whoever is called wants to be left alone for: all of them, and not one item."""
    asked: object = None
    if isinstance(verdict, Completed):
        asked = verdict.pace
    elif isinstance(verdict, Retry) and attribute_of(verdict, "code") == TOO_MANY:
        asked = attribute_of(verdict, "after")
    if isinstance(asked, bool) or not isinstance(asked, (int, float, Decimal)):
        return None
    seconds = float(asked)
    return min(seconds, LONGEST_PACE) if seconds > 0 else None


def _problem_is(problem: Problem) -> bool:
    if isinstance(problem, (CannotBeStored, TransactionEnded)):
        return False
    if isinstance(problem, TimeLimitExceeded):
        return True
    code = attribute_of(problem, "code")
    if isinstance(problem, Retry):
        return code != TOO_MANY or attribute_of(problem, "after") is None
    return isinstance(problem, Reject) and _is_outside_status(code)


def _is_outside_status(status: object) -> bool:
    return isinstance(status, int) and (status == TOO_MANY or 500 <= status < 600)
