"""ramp: a batch begins in steps, and after each it is looked at how much of that failed."""

from __future__ import annotations

from typing import Any

import pytest

from app.batches.actions.chosen import act_on_items
from app.batches.choices import Choice
from app.batches.long_work import Pace
from app.batches.ramp import Ramp
from tests.engine.ramping import OPERATIONS, ended_of, numbered, submit_ramped, until_held
from tests.engine.rig import Rig
from tests.engine.test_told_events import events_of, listen


@pytest.mark.parametrize("operation", [*OPERATIONS, None])
def test_it_is_exact_at_each_hold(rig: Rig, operation: str | None) -> None:
    """Steps are no multiples of slices, which are of five."""
    rig = Rig(rig.engine, rig.settings, rig.registry, slots=4)
    listen(rig)
    items: list[Any] = numbered(40)
    if operation is None:
        items = [{"operation": OPERATIONS[n % 2], "data": item} for n, item in enumerate(items)]
    batch_id = submit_ramped(rig, items, 3, 8, 12, operation=operation)
    for end in (3, 11, 23):
        batch = until_held(rig, batch_id)
        assert (batch.status, batch.stop_reason, batch.ramp_held) == ("PAUSED", None, True)
        assert (batch.completed, batch.finished_at) == (end, None)
        assert ended_of(rig, batch_id) == list(range(end))
        assert rig.slices(batch_id) == []
        rig.act(batch_id, "resume")
        assert not rig.batch(batch_id).ramp_held
    batch = until_held(rig, batch_id)
    assert (batch.status, batch.completed, batch.stop_reason) == ("SUCCESS", 40, None)
    told = [event for event, _ in events_of(rig, batch_id)]
    assert told == ["started", *3 * ["paused"], "finished"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_too_many_failures_of_a_step_hold_it(rig: Rig, operation: str) -> None:
    failing = {1, 4, 5, 6, 20}
    batch_id = submit_ramped(
        rig, numbered(30, failing), 4, 10, operation=operation, hold="auto", percent=25
    )
    batch = until_held(rig, batch_id)
    # One of the first four is no more than a quarter, and three of the next ten are.
    assert (batch.status, batch.stop_reason) == ("PAUSED", "ramp")
    assert (batch.completed, batch.failed) == (10, 4)
    rig.act(batch_id, "resume")
    batch = until_held(rig, batch_id)
    assert (batch.status, batch.stop_reason) == ("PARTIAL", None)
    assert (batch.completed, batch.failed) == (25, 5)


def test_a_single_failure_is_too_many_unless_said(rig: Rig) -> None:
    batch_id = rig.submit("log.one", numbered(30, {7}), ramp=Ramp((5, 5)))
    batch = until_held(rig, batch_id)
    assert (batch.status, batch.stop_reason, batch.completed) == ("PAUSED", "ramp", 9)


@pytest.mark.parametrize("hold", ["auto", "approve"])
def test_invalid_items_count(rig: Rig, hold: str) -> None:
    items = [{"uid": n if n else "none"} for n in range(10)]
    batch_id = submit_ramped(rig, items, 3, hold=hold, percent=33)
    batch = until_held(rig, batch_id)
    assert (batch.status, batch.stop_reason, batch.invalid) == ("PAUSED", "ramp", 1)


@pytest.mark.parametrize("steps", [(10,), (12,), (4, 6), (4, 60)])
def test_with_nothing_left_it_ends_without_a_hold(rig: Rig, steps: tuple[int, ...]) -> None:
    batch_id = submit_ramped(rig, numbered(10, {9}), *steps, hold="auto", percent=0)
    batch = until_held(rig, batch_id)
    assert (batch.status, batch.completed, batch.failed) == ("PARTIAL", 9, 1)


def test_what_is_behind_may_have_been_canceled(rig: Rig) -> None:
    batch_id = submit_ramped(rig, numbered(10), 6)
    act_on_items(rig.engine, rig.client_id, batch_id, "cancel", Choice(indexes=(6, 7, 8, 9)))
    batch = until_held(rig, batch_id)
    assert (batch.status, batch.completed, batch.canceled) == ("PARTIAL", 6, 4)


def test_a_step_waits_for_its_retries(rig: Rig) -> None:
    items = numbered(12)
    items[1]["do"] = items[3]["do"] = "retry"
    batch_id = submit_ramped(rig, items, 4)
    batch = until_held(rig, batch_id)
    assert (batch.status, batch.completed) == ("PAUSED", 4)
    assert [row.attempts for row in rig.items(batch_id)[:4]] == [1, 2, 1, 2]


def test_what_waits_for_something_behind_does_not_hold_it_up(rig: Rig) -> None:
    items = numbered(20)
    items[1]["waits_for"] = "9"
    items[2]["waits_for"] = "0"
    batch_id = submit_ramped(rig, items, 4, 4)
    batch = until_held(rig, batch_id)
    assert (batch.status, batch.completed) == ("PAUSED", 3)
    assert ended_of(rig, batch_id) == [0, 2, 3]
    rig.act(batch_id, "resume")
    batch = until_held(rig, batch_id)
    assert (batch.status, batch.completed) == ("PAUSED", 7)
    assert ended_of(rig, batch_id) == [0, *range(2, 8)]
    rig.act(batch_id, "resume")
    batch = until_held(rig, batch_id)
    assert (batch.status, batch.completed) == ("SUCCESS", 20)


def test_what_waits_for_nothing_fails_in_the_end(rig: Rig) -> None:
    items = numbered(12)
    items[1]["waits_for"] = "never"
    batch_id = submit_ramped(rig, items, 4, hold="auto", percent=0)
    batch = until_held(rig, batch_id)
    assert (batch.status, batch.completed, batch.failed) == ("PARTIAL", 11, 1)


@pytest.mark.parametrize("large", [False, True])
def test_repeated_keys_keep_their_order(rig: Rig, large: bool) -> None:
    """Their items are due from the beginning; those behind the step are not run for that."""
    if large:
        rig.runtime.pace = Pace(items=4, seconds=0.0)
    items = [{"uid": n, "key": f"k{n % 3}" if n % 5 else None} for n in range(30)]
    items[2]["waits_for"] = "4"  # and so do those of its key behind it
    batch_id = submit_ramped(rig, items, 4, 7)
    batch = until_held(rig, batch_id)
    assert (batch.status, ended_of(rig, batch_id)) == ("PAUSED", [0, 1, 3])
    rig.act(batch_id, "resume")
    batch = until_held(rig, batch_id)
    assert (batch.status, ended_of(rig, batch_id)) == ("PAUSED", list(range(11)))
    rig.act(batch_id, "resume")
    rig.run_out(batch_id)
    assert rig.batch(batch_id).status == "SUCCESS"
    for name, uids in rig.effects().items():
        if name.startswith("k"):
            assert uids == sorted(uids)
