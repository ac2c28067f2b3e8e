"""A search that a page left open asks for each second."""

from __future__ import annotations

import threading

import pytest

from app.console.shell.searches import Searches
from tests.support.clock import Clock


@pytest.mark.parametrize(("takes", "rests"), [(0.01, 1.0), (0.2, 5.0)])
def test_it_is_made_again_when_a_hundred_times_as_long_has_passed(
    takes: float, rests: float
) -> None:
    clock, made = Clock(), []
    searches = Searches(clock)

    def search() -> int:
        clock.forward(takes)
        made.append(clock())
        return len(made)

    assert searches.again("a", search) == 1
    clock.forward(rests * 0.99)
    assert searches.again("a", search) == 1
    assert searches.again("another's", search) == 2
    clock.forward(rests * 0.02)
    assert searches.again("a", search) == 3


def test_many_who_ask_at_once_cost_one_and_nobody_else_waits() -> None:
    searches, made = Searches(lambda: 0.0), []
    reached, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        made.append(1)
        reached.set()
        assert go_on.wait(60)

    first = threading.Thread(target=searches.again, args=("a", slow))
    first.start()
    assert reached.wait(60)
    assert searches.again("b", lambda: "found") == "found"
    go_on.set()
    first.join()
    assert made == [1]


def test_one_that_fails_is_made_again() -> None:
    searches = Searches(lambda: 0.0)
    with pytest.raises(ZeroDivisionError):
        searches.again("a", lambda: 1 // 0)
    assert searches.again("a", lambda: "found") == "found"
