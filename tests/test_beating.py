"""The pace of sweeps, and beat's schedule: by a clock that only ever goes forward."""

from __future__ import annotations

import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.clock import Clock
from workers.schedule import Pace, every


def test_of_many_steps_at_once_one_is_made() -> None:
    clock = Clock()
    pace = Pace(2.0, clock=clock)
    with ThreadPoolExecutor(8) as threads:
        for _ in range(3):
            assert sum(threads.map(lambda _: pace.step(), range(1000))) == 1
            clock.forward(1.99)
            assert not pace.step()
            clock.forward(0.01)


def test_steps_that_were_missed_are_not_made_up_for() -> None:
    clock = Clock()
    pace = Pace(2.0, clock=clock)
    assert pace.step()
    clock.forward(100)
    assert [pace.step() for _ in range(3)] == [True, False, False]


def test_a_schedule_is_due_after_its_seconds() -> None:
    schedule = every(60.0)
    not_yet = schedule.is_due(schedule.now() - timedelta(seconds=20))
    assert not not_yet.is_due
    assert 0 < not_yet.next <= 40
    now_it_is = schedule.is_due(schedule.now() - timedelta(seconds=60))
    assert now_it_is.is_due
    # Beat keeps its schedule in a file.
    assert pickle.loads(pickle.dumps(schedule)).is_due(schedule.now()).is_due is False  # noqa: S301


def test_a_schedule_counts_seconds_whatever_the_time_of_day_is() -> None:
    schedule = every(60.0)
    before, first = time.monotonic(), schedule.now()
    second, after = schedule.now(), time.monotonic()
    assert timedelta() <= second - first <= timedelta(seconds=after - before)
    # It is the machine's count of seconds, not the time of day in disguise.
    counted = (first - datetime(2000, 1, 1, tzinfo=UTC)).total_seconds()
    assert counted == pytest.approx(before, abs=1 + after - before)
