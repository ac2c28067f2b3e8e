"""The pace of sweeps, and beat's schedule: by a clock that only ever goes forward."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from workers.schedule import Pace, every


def test_of_a_heap_of_steps_one_is_made() -> None:
    pace = Pace(0.2)
    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(lambda _: pace.step(), range(1000))) == 1
    time.sleep(0.21)
    assert pace.step()
    assert not pace.step()


def test_a_schedule_is_due_after_its_seconds() -> None:
    schedule = every(0.2)
    began = schedule.now()
    assert not schedule.is_due(began).is_due
    time.sleep(0.21)
    assert schedule.is_due(began).is_due
