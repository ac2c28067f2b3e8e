"""Breakers as handlers have them: what can be registered, and what counts as a failure."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from marshmallow import Schema

from handlers import Breaker, Defer, Outcome, Registry, Reject, Retry, WrongOperation
from handlers.operation import Operation
from workers.engine.breakers.window import Window
from workers.engine.outcome.classify import CannotBeStored
from workers.engine.outcome.outcomes import Completed
from workers.engine.process.time_limit import HandlerRaised, TimeLimitExceeded
from workers.engine.run.outside import is_outside, pace_asked_by


def handle(_item: Any, _context: Any) -> Outcome:
    return Outcome()


@pytest.mark.parametrize(
    ("breaker", "said"),
    [
        (Breaker(failures=0), "failures must be a number above 0 and at most 1, not 0"),
        (Breaker(failures=1.5), "failures"),
        (Breaker(failures=float("nan")), "failures"),
        (Breaker(failures=True), "failures"),
        (Breaker(of=0), "of must be a whole number above 0, not 0"),
        (Breaker(of=2.5), "of"),  # type: ignore[arg-type]
        (Breaker(within=0), "within"),
        (Breaker(within=3601), "within must be a number above 0 and at most 3600, not 3601"),
        (Breaker(rest=-1), "rest"),
        (Breaker(rest="15"), "rest"),  # type: ignore[arg-type]
        ({"of": 3}, "breaker must be a Breaker"),
    ],
    ids=repr,
)
def test_what_cannot_work_is_refused(breaker: Any, said: str) -> None:
    with pytest.raises(WrongOperation, match=r"operation 'x': breaker") as refused:
        Operation("x", handle, Schema, breaker=breaker)
    assert said in str(refused.value)


def test_what_can_work_is_taken() -> None:
    registry = Registry()
    registry.add(Operation("x", handle, Schema, breaker=Breaker(1, of=1, within=0.5, rest=0.1)))
    assert "x" in registry


def test_a_share_is_reached_when_there_are_enough() -> None:
    breaker = Breaker(failures=0.5, of=20)
    assert not breaker.reached(failed=19, tried=19)
    assert breaker.reached(failed=10, tried=20)
    assert not breaker.reached(failed=10, tried=21)


def answered(status: int) -> httpx.HTTPStatusError:
    request = httpx.Request("GET", "http://x")
    return httpx.HTTPStatusError("x", request=request, response=httpx.Response(status))


@pytest.mark.parametrize(
    ("verdict", "counts"),
    [
        (Retry("x"), True),
        (Retry("x", code=429), True),
        (Retry("x", code=429, after=3), False),
        (Retry("x", code=503, after=3), True),
        (TimeLimitExceeded(3), True),
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (httpx.ConnectError("x"), True),
        (httpx.ReadTimeout("x"), True),
        (answered(503), True),
        (answered(429), True),
        (answered(404), False),
        (Reject("x", code=502), True),
        (Reject("x"), False),
        (Defer("x"), False),
        (ValueError("x"), False),
        (FileNotFoundError("x"), False),
        (CannotBeStored("x"), False),
        (HandlerRaised(SystemExit(1)), False),
        (Completed(), False),
    ],
    ids=str,
)
def test_what_counts(verdict: Any, counts: bool) -> None:
    assert is_outside(verdict) is counts


@pytest.mark.parametrize(
    ("verdict", "seconds"),
    [
        (Retry("x", code=429, after=3), 3),
        (Retry("x", code=503, after=3), None),
        (Retry("x", code=429, after=1e9), 3600),
        (Retry("x", code=429, after=float("nan")), None),
        (Completed(pace=5), 5),
        (Completed(pace=-5), None),
        (Completed(pace="soon"), None),  # type: ignore[arg-type]
        (Completed(), None),
    ],
    ids=str,
)
def test_what_asks_for_a_pace(verdict: Any, seconds: float | None) -> None:
    assert pace_asked_by(verdict) == seconds


def test_a_window_forgets() -> None:
    window = Window(10)
    window.add(2, 100.0)
    window.add(3, 100.5)
    window.add(4, 105.0)
    assert window.total(105.0) == 9
    assert window.total(109.9) == 9
    assert window.total(110.1) == 4
    assert window.total(200.0) == 0
