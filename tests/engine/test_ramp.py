"""ramp: a batch begins in steps, and after each it is looked at how much of that failed."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import IntegrityError

from app.batches.actions.chosen import act_on_items
from app.batches.choices import Choice
from app.batches.long_work import Pace
from app.batches.ramp import Ramp
from tests.engine.rig import Message, Rig
from tests.engine.test_told_events import events_of, listen

OPERATIONS = ["log.one", "log.bulk", "log.outside"]
ENDED = ("SUCCESS", "FAILED", "INVALID", "CANCELED")


def _items(count: int, failing: set[int] = frozenset(), **more: Any) -> list[dict[str, Any]]:  # type: ignore[assignment]
    return [{"uid": n, "do": "reject" if n in failing else "succeed", **more} for n in range(count)]


def _submit(
    rig: Rig,
    items: list[dict[str, Any]],
    *steps: int,
    operation: str | None = "log.one",
    hold: str = "approve",
    percent: float = 100,
    **options: Any,
) -> UUID:
    ramp = Ramp(steps, hold, Decimal(str(percent)))
    return rig.submit(operation, items, ramp=ramp, **options)


def _until_held(rig: Rig, batch_id: UUID) -> Any:
    """Its row, once it is held, or has ended; and all that can happen meanwhile has happened."""
    rig.run_until(lambda batch: batch.status == "PAUSED", batch_id)
    rig.deliver_all()
    rig.time_passes()
    rig.sweep()
    rig.deliver_all()
    return rig.batch(batch_id)


def _ended(rig: Rig, batch_id: UUID) -> list[int]:
    return [row.index for row in rig.items(batch_id) if row.status in ENDED]


@pytest.mark.parametrize("operation", [*OPERATIONS, None])
def test_it_is_exact_at_each_hold(rig: Rig, operation: str | None) -> None:
    """Steps are no multiples of slices, which are of five."""
    rig = Rig(rig.engine, rig.settings, rig.registry, slots=4)
    listen(rig)
    items: list[Any] = _items(40)
    if operation is None:
        items = [{"operation": OPERATIONS[n % 2], "data": item} for n, item in enumerate(items)]
    batch_id = _submit(rig, items, 3, 8, 12, operation=operation)
    for end in (3, 11, 23):
        batch = _until_held(rig, batch_id)
        assert (batch.status, batch.stop_reason, batch.ramp_held) == ("PAUSED", None, True)
        assert (batch.completed, batch.finished_at) == (end, None)
        assert _ended(rig, batch_id) == list(range(end))
        assert rig.slices(batch_id) == []
        rig.act(batch_id, "resume")
        assert not rig.batch(batch_id).ramp_held
    batch = _until_held(rig, batch_id)
    assert (batch.status, batch.completed, batch.stop_reason) == ("SUCCESS", 40, None)
    told = [event for event, _ in events_of(rig, batch_id)]
    assert told == ["started", *3 * ["paused"], "finished"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_too_many_failures_of_a_step_hold_it(rig: Rig, operation: str) -> None:
    failing = {1, 4, 5, 6, 20}
    batch_id = _submit(
        rig, _items(30, failing), 4, 10, operation=operation, hold="auto", percent=25
    )
    batch = _until_held(rig, batch_id)
    # One of the first four is no more than a quarter, and three of the next ten are.
    assert (batch.status, batch.stop_reason) == ("PAUSED", "ramp")
    assert (batch.completed, batch.failed) == (10, 4)
    rig.act(batch_id, "resume")
    batch = _until_held(rig, batch_id)
    assert (batch.status, batch.stop_reason) == ("PARTIAL", None)
    assert (batch.completed, batch.failed) == (25, 5)


def test_a_single_failure_is_too_many_unless_said(rig: Rig) -> None:
    batch_id = rig.submit("log.one", _items(30, {7}), ramp=Ramp((5, 5)))
    batch = _until_held(rig, batch_id)
    assert (batch.status, batch.stop_reason, batch.completed) == ("PAUSED", "ramp", 9)


@pytest.mark.parametrize("hold", ["auto", "approve"])
def test_invalid_items_count(rig: Rig, hold: str) -> None:
    items = [{"uid": n if n else "none"} for n in range(10)]
    batch_id = _submit(rig, items, 3, hold=hold, percent=33)
    batch = _until_held(rig, batch_id)
    assert (batch.status, batch.stop_reason, batch.invalid) == ("PAUSED", "ramp", 1)


@pytest.mark.parametrize("steps", [(10,), (12,), (4, 6), (4, 60)])
def test_with_nothing_left_it_ends_without_a_hold(rig: Rig, steps: tuple[int, ...]) -> None:
    batch_id = _submit(rig, _items(10, {9}), *steps, hold="auto", percent=0)
    batch = _until_held(rig, batch_id)
    assert (batch.status, batch.completed, batch.failed) == ("PARTIAL", 9, 1)


def test_what_is_behind_may_have_been_canceled(rig: Rig) -> None:
    batch_id = _submit(rig, _items(10), 6)
    act_on_items(rig.engine, rig.client_id, batch_id, "cancel", Choice(indexes=(6, 7, 8, 9)))
    batch = _until_held(rig, batch_id)
    assert (batch.status, batch.completed, batch.canceled) == ("PARTIAL", 6, 4)


def test_a_step_waits_for_its_retries(rig: Rig) -> None:
    items = _items(12)
    items[1]["do"] = items[3]["do"] = "retry"
    batch_id = _submit(rig, items, 4)
    batch = _until_held(rig, batch_id)
    assert (batch.status, batch.completed) == ("PAUSED", 4)
    assert [row.attempts for row in rig.items(batch_id)[:4]] == [1, 2, 1, 2]


def test_what_waits_for_something_behind_does_not_hold_it_up(rig: Rig) -> None:
    items = _items(20)
    items[1]["waits_for"] = "9"
    items[2]["waits_for"] = "0"
    batch_id = _submit(rig, items, 4, 4)
    batch = _until_held(rig, batch_id)
    assert (batch.status, batch.completed) == ("PAUSED", 3)
    assert _ended(rig, batch_id) == [0, 2, 3]
    rig.act(batch_id, "resume")
    batch = _until_held(rig, batch_id)
    assert (batch.status, batch.completed) == ("PAUSED", 7)
    assert _ended(rig, batch_id) == [0, *range(2, 8)]
    rig.act(batch_id, "resume")
    batch = _until_held(rig, batch_id)
    assert (batch.status, batch.completed) == ("SUCCESS", 20)


def test_what_waits_for_nothing_fails_in_the_end(rig: Rig) -> None:
    items = _items(12)
    items[1]["waits_for"] = "never"
    batch_id = _submit(rig, items, 4, hold="auto", percent=0)
    batch = _until_held(rig, batch_id)
    assert (batch.status, batch.completed, batch.failed) == ("PARTIAL", 11, 1)


@pytest.mark.parametrize("large", [False, True])
def test_repeated_keys_keep_their_order(rig: Rig, large: bool) -> None:
    """Their items are due from the beginning; those behind the step are not run for that."""
    if large:
        rig.runtime.pace = Pace(items=4, seconds=0.0)
    items = [{"uid": n, "key": f"k{n % 3}" if n % 5 else None} for n in range(30)]
    items[2]["waits_for"] = "4"  # and so do those of its key behind it
    batch_id = _submit(rig, items, 4, 7)
    batch = _until_held(rig, batch_id)
    assert (batch.status, _ended(rig, batch_id)) == ("PAUSED", [0, 1, 3])
    rig.act(batch_id, "resume")
    batch = _until_held(rig, batch_id)
    assert (batch.status, _ended(rig, batch_id)) == ("PAUSED", list(range(11)))
    rig.act(batch_id, "resume")
    rig.run_out(batch_id)
    assert rig.batch(batch_id).status == "SUCCESS"
    for name, uids in rig.effects().items():
        if name.startswith("k"):
            assert uids == sorted(uids)


def test_a_retry_has_no_ramp_and_a_reset_has(rig: Rig) -> None:
    batch_id = _submit(rig, _items(20, {2, 3, 11, 12}), 5, hold="auto", percent=50)
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
    batch = _until_held(rig, batch_id)
    assert (batch.status, batch.completed) == ("PAUSED", 5)


def test_it_comes_after_the_approval(rig: Rig) -> None:
    """What was found INVALID is part of its step."""
    items: list[dict[str, Any]] = [{"uid": n if n % 4 else f"no {n}"} for n in range(20)]
    batch_id = _submit(rig, items, 6, hold="auto", percent=33, approval=True)
    rig.deliver_all()
    assert rig.batch(batch_id).status == "AWAITING"
    rig.act(batch_id, "approve")
    batch = _until_held(rig, batch_id)
    assert (batch.status, batch.stop_reason, batch.completed) == ("PAUSED", "ramp", 4)
    rig.act(batch_id, "resume")
    batch = _until_held(rig, batch_id)
    assert (batch.status, batch.completed) == ("PARTIAL", 15)


@pytest.mark.parametrize("options", [{"on_invalid": "reject"}, {"approval": True}, {}])
def test_a_batch_that_would_be_one_slice(rig: Rig, options: dict[str, Any]) -> None:
    """Looked at it is, by the worker whose turn it is; run it is in steps."""
    batch_id = _submit(rig, _items(4), 2, **options)
    rig.messages[:] = [Message(batch_id, turn=True)]
    if "approval" in options:
        rig.deliver_all()
        rig.act(batch_id, "approve")
    batch = _until_held(rig, batch_id)
    assert (batch.status, batch.completed) == ("PAUSED", 2)


def test_what_is_looked_at_first_is_looked_at_whole(rig: Rig) -> None:
    batch_id = _submit(rig, [*_items(20), {"uid": "none"}], 6, on_invalid="reject")
    batch = _until_held(rig, batch_id)
    assert (batch.status, batch.invalid, batch.canceled) == ("FAILED", 1, 20)
    batch_id = _submit(rig, _items(20), 6, on_invalid="reject")
    batch = _until_held(rig, batch_id)
    assert (batch.status, batch.completed) == ("PAUSED", 6)


def test_a_dry_run_has_nothing_to_be_careful_of(rig: Rig) -> None:
    batch_id = _submit(rig, _items(20), 6, dry_run=True)
    batch = _until_held(rig, batch_id)
    assert (batch.status, batch.completed) == ("SUCCESS", 20)


@pytest.mark.parametrize("in_step", [True, False])
def test_it_is_canceled_like_any_other(rig: Rig, in_step: bool) -> None:
    batch_id = _submit(rig, _items(20), 7)
    if in_step:
        rig.deliver(rig.messages.pop(0))
    else:
        _until_held(rig, batch_id)
    rig.act(batch_id, "cancel")
    batch = _until_held(rig, batch_id)
    assert (batch.status, batch.stop_reason) == ("CANCELED", "canceled")
    assert batch.completed == (0 if in_step else 7)


def test_a_pause_in_a_step_is_none_of_the_ramps(rig: Rig) -> None:
    batch_id = _submit(rig, _items(20), 7)
    rig.deliver(rig.messages.pop(0))
    rig.deliver(rig.messages.pop(0))
    rig.act(batch_id, "pause")
    rig.deliver_all()
    batch = rig.batch(batch_id)
    assert (batch.status, batch.ramp_held, batch.ramp_end) == ("PAUSED", False, 7)
    rig.act(batch_id, "resume")
    batch = _until_held(rig, batch_id)
    assert (batch.status, batch.ramp_held, batch.completed) == ("PAUSED", True, 7)


def test_guards_stop_it_before_a_step_is_looked_at(rig: Rig) -> None:
    batch_id = _submit(rig, _items(20, {1, 2, 3}), 5, hold="auto", max_failures=2)
    batch = _until_held(rig, batch_id)
    assert (batch.status, batch.stop_reason) == ("PARTIAL", "max_failures")


def test_slices_that_end_at_once_let_the_next_step_in_once(rig: Rig) -> None:
    rig = Rig(rig.engine, rig.settings, rig.registry, slots=4)
    batch_id = _submit(rig, _items(60), 20, hold="approve")
    rig.deliver(rig.messages.pop(0))
    slices = [message for message in rig.messages if message.number is not None]
    assert len(slices) == 4
    workers = [rig.worker() for _ in slices]
    claims = [rig.claim(*one) for one in zip(slices, workers, strict=True)]
    rig.messages.clear()

    def end(place: int) -> None:
        claimed = claims[place]
        assert claimed is not None
        rig.finish(claimed, workers[place])
        rig.deliver(Message(batch_id), workers[place])

    threads = [threading.Thread(target=end, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    batch = _until_held(rig, batch_id)
    assert (batch.status, batch.completed, batch.ramp_end) == ("PAUSED", 20, None)
    assert rig.slices(batch_id) == []


@pytest.mark.parametrize("died", [1, 2])
def test_a_worker_that_dies_in_a_step(rig: Rig, died: int) -> None:
    batch_id = _submit(rig, _items(30), 8)
    rig.deliver(rig.messages.pop(0))
    for _ in range(died):
        message = next(one for one in rig.messages if one.number is not None)
        rig.messages.remove(message)
        worker = rig.worker()
        assert rig.claim(message, worker)
        worker.heartbeat.die()  # type: ignore[attr-defined]
    batch = _until_held(rig, batch_id)
    assert (batch.status, batch.completed, _ended(rig, batch_id)) == ("PAUSED", 8, list(range(8)))


def test_whoever_knows_nothing_of_ramps_plans_nothing(rig: Rig) -> None:
    """As workers of the release before do: they count waves, and note no more."""
    batch_id = _submit(rig, _items(30), 8)
    as_before = "UPDATE batches SET wave = wave + 1, status = 'RUNNING' WHERE id = :id"
    with pytest.raises(IntegrityError, match="ramped"):
        rig.run(as_before, id=batch_id)
    _until_held(rig, batch_id)
    with pytest.raises(IntegrityError, match="ramped"):
        rig.run("UPDATE batches SET ramp_end = 9, wave = wave + 1 WHERE id = :id", id=batch_id)
    rig.run(as_before, id=batch_id)  # behind the last step nothing is held back
