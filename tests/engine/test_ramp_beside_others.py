"""A ramp beside what else a batch may have: a retry, an approval, guards, a pause."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.ramping import numbered, submit_ramped, until_held
from tests.engine.rig import Message, Rig


def test_a_retry_has_no_ramp_and_a_reset_has(rig: Rig) -> None:
    batch_id = submit_ramped(rig, numbered(20, {2, 3, 11, 12}), 5, hold="auto", percent=50)
    rig.run_out(batch_id)
    assert rig.batch(batch_id).failed == 4
    rig.act(batch_id, "retry")
    rig.run_until(lambda batch: batch.status == "PAUSED", batch_id)
    assert rig.batch(batch_id).status == "PARTIAL"
    rig.act(batch_id, "reset")
    rig.append(batch_id, [{"uid": 100 + n} for n in range(20)])
    rig.run(
        "UPDATE batches SET ramp = jsonb_set(CAST(ramp AS jsonb), '{hold}', '\"approve\"') "
        "WHERE id = :id",
        id=batch_id,
    )
    rig.act(batch_id, "start")
    batch = until_held(rig, batch_id)
    assert (batch.status, batch.completed) == ("PAUSED", 5)


def test_it_comes_after_the_approval(rig: Rig) -> None:
    """What was found INVALID is part of its step."""
    items: list[dict[str, Any]] = [{"uid": n if n % 4 else f"no {n}"} for n in range(20)]
    batch_id = submit_ramped(rig, items, 6, hold="auto", percent=33, approval=True)
    rig.deliver_all()
    assert rig.batch(batch_id).status == "AWAITING"
    rig.act(batch_id, "approve")
    batch = until_held(rig, batch_id)
    assert (batch.status, batch.stop_reason, batch.completed) == ("PAUSED", "ramp", 4)
    rig.act(batch_id, "resume")
    batch = until_held(rig, batch_id)
    assert (batch.status, batch.completed) == ("PARTIAL", 15)


@pytest.mark.parametrize("options", [{"on_invalid": "reject"}, {"approval": True}, {}])
def test_a_batch_that_would_be_one_slice(rig: Rig, options: dict[str, Any]) -> None:
    """Looked at it is, by the worker whose turn it is; run it is in steps."""
    batch_id = submit_ramped(rig, numbered(4), 2, **options)
    rig.messages[:] = [Message(batch_id, turn=True)]
    if "approval" in options:
        rig.deliver_all()
        rig.act(batch_id, "approve")
    batch = until_held(rig, batch_id)
    assert (batch.status, batch.completed) == ("PAUSED", 2)


def test_what_is_looked_at_first_is_looked_at_whole(rig: Rig) -> None:
    batch_id = submit_ramped(rig, [*numbered(20), {"uid": "none"}], 6, on_invalid="reject")
    batch = until_held(rig, batch_id)
    assert (batch.status, batch.invalid, batch.canceled) == ("FAILED", 1, 20)
    batch_id = submit_ramped(rig, numbered(20), 6, on_invalid="reject")
    batch = until_held(rig, batch_id)
    assert (batch.status, batch.completed) == ("PAUSED", 6)


def test_a_dry_run_has_nothing_to_be_careful_of(rig: Rig) -> None:
    batch_id = submit_ramped(rig, numbered(20), 6, dry_run=True)
    batch = until_held(rig, batch_id)
    assert (batch.status, batch.completed) == ("SUCCESS", 20)


@pytest.mark.parametrize("in_step", [True, False])
def test_it_is_canceled_like_any_other(rig: Rig, in_step: bool) -> None:
    batch_id = submit_ramped(rig, numbered(20), 7)
    if in_step:
        rig.deliver(rig.messages.pop(0))
    else:
        until_held(rig, batch_id)
    rig.act(batch_id, "cancel")
    batch = until_held(rig, batch_id)
    assert (batch.status, batch.stop_reason) == ("CANCELED", "canceled")
    assert batch.completed == (0 if in_step else 7)


def test_a_pause_in_a_step_is_none_of_the_ramps(rig: Rig) -> None:
    batch_id = submit_ramped(rig, numbered(20), 7)
    rig.deliver(rig.messages.pop(0))
    rig.deliver(rig.messages.pop(0))
    rig.act(batch_id, "pause")
    rig.deliver_all()
    batch = rig.batch(batch_id)
    assert (batch.status, batch.ramp_held, batch.ramp_end) == ("PAUSED", False, 7)
    rig.act(batch_id, "resume")
    batch = until_held(rig, batch_id)
    assert (batch.status, batch.ramp_held, batch.completed) == ("PAUSED", True, 7)


def test_guards_stop_it_before_a_step_is_looked_at(rig: Rig) -> None:
    batch_id = submit_ramped(rig, numbered(20, {1, 2, 3}), 5, hold="auto", max_failures=2)
    batch = until_held(rig, batch_id)
    assert (batch.status, batch.stop_reason) == ("PARTIAL", "max_failures")
