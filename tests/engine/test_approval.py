"""approval: every item is looked at, and then somebody else decides whether the batch runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.batches.actions import act, amend
from app.batches.actions.chosen import act_on_items
from app.batches.actions.edit import edit_item
from app.batches.choices import Choice
from app.core import actor
from app.core.errors import Forbidden, WrongState
from app.core.ids import new_id
from tests.engine.rig import Message, Rig

ITEMS: list[dict[str, Any]] = [{"uid": n if n % 4 else f"none {n}"} for n in range(20)]


@pytest.fixture(autouse=True)
def _nobody() -> Iterator[None]:
    yield
    actor.end()


def _awaiting(rig: Rig, items: list[dict[str, Any]] | None = None, **options: Any) -> UUID:
    batch_id = rig.submit("log.one", items or ITEMS, approval=True, **options)
    rig.deliver_all()
    return batch_id


def _approve_as(rig: Rig, batch_id: UUID, key_id: UUID | None) -> None:
    actor.begin(actor.Actor(key_id=key_id))
    try:
        if act(rig.engine, rig.client_id, batch_id, "approve"):
            rig.deliver(Message(batch_id))
    finally:
        actor.end()


@pytest.mark.parametrize("count", [1, 20])
@pytest.mark.parametrize("operation", ["log.one", "log.bulk", "log.outside"])
def test_nothing_runs_until_it_is_approved(rig: Rig, operation: str, count: int) -> None:
    items: list[dict[str, Any]] = [{"uid": n} for n in range(count)]
    batch_id = rig.submit(operation, [*items, {"uid": "none"}], approval=True)
    rig.deliver_all()
    rig.time_passes()
    rig.sweep()
    rig.deliver_all()
    batch = rig.batch(batch_id)
    assert (batch.status, batch.invalid, batch.started_at) == ("AWAITING", 1, None)
    assert rig.statuses(batch_id) == ["PENDING"] * count + ["INVALID"]
    assert rig.effects() == {}
    rig.act(batch_id, "approve")
    rig.run_out(batch_id)
    batch = rig.batch(batch_id)
    assert (batch.status, batch.completed, batch.invalid) == ("PARTIAL", count, 1)
    if operation != "log.outside":
        assert rig.effects() == {f"own {n}": [n] for n in range(count)}


def test_repeated_keys_keep_their_order(rig: Rig) -> None:
    batch_id = _awaiting(rig, [{"uid": n, "key": "k" if n % 3 else None} for n in range(30)])
    assert rig.batch(batch_id).status == "AWAITING"
    rig.act(batch_id, "approve")
    rig.run_out(batch_id)
    assert rig.effects()["k"] == [n for n in range(30) if n % 3]


def test_rejected_is_canceled(rig: Rig) -> None:
    batch_id = _awaiting(rig)
    rig.act(batch_id, "reject")
    batch = rig.batch(batch_id)
    assert (batch.status, batch.stop_reason) == ("CANCELED", "rejected")
    assert (batch.invalid, batch.canceled) == (5, 15)
    assert rig.effects() == {}


def test_all_invalid_ends_failed(rig: Rig) -> None:
    batch_id = _awaiting(rig, [{"uid": "none"}] * 7)
    batch = rig.batch(batch_id)
    assert (batch.status, batch.stop_reason, batch.invalid) == ("FAILED", None, 7)


def test_one_bad_item_of_a_batch_that_rejects_ends_it(rig: Rig) -> None:
    batch_id = _awaiting(rig, on_invalid="reject")
    batch = rig.batch(batch_id)
    assert (batch.status, batch.invalid, batch.canceled) == ("FAILED", 5, 15)
    good = _awaiting(rig, [{"uid": 100}], on_invalid="reject")
    assert rig.batch(good).status == "AWAITING"
    rig.act(good, "approve")
    rig.run_out(good)
    assert rig.batch(good).status == "SUCCESS"


def test_what_would_be_stopped_at_once_is_not_asked_for(rig: Rig) -> None:
    batch_id = _awaiting(rig, max_failures=4)
    batch = rig.batch(batch_id)
    assert (batch.status, batch.stop_reason, batch.canceled) == ("FAILED", "max_failures", 15)
    enough = _awaiting(rig, max_failures=5)
    assert rig.batch(enough).status == "AWAITING"


def test_what_was_seen_to_be_invalid_is_no_part_of_the_share(rig: Rig) -> None:
    batch_id = _awaiting(rig, max_failure_percent=10, min_processed=1)
    assert rig.batch(batch_id).status == "AWAITING"
    rig.act(batch_id, "approve")
    rig.run_out(batch_id)
    batch = rig.batch(batch_id)
    assert (batch.status, batch.stop_reason, batch.completed) == ("PARTIAL", None, 15)


@pytest.mark.parametrize("behind", [False, True])
def test_a_time_comes_after_the_approval(rig: Rig, behind: bool) -> None:
    moment = datetime.now(UTC) + timedelta(hours=1)
    batch_id = _awaiting(rig, scheduled_at=moment)
    assert rig.batch(batch_id).status == "AWAITING"
    if behind:
        rig.run(
            "UPDATE batches SET scheduled_at = now() - interval '1 s' WHERE id = :id", id=batch_id
        )
    rig.act(batch_id, "approve")
    assert rig.batch(batch_id).status == ("PENDING" if behind else "SCHEDULED")
    if not behind:
        rig.deliver_all()
        assert rig.effects() == {}
        rig.act(batch_id, "start")
    rig.run_out(batch_id)
    assert rig.batch(batch_id).completed == 15


def test_a_time_that_is_taken_back_needs_another_approval(rig: Rig) -> None:
    batch_id = _awaiting(rig, scheduled_at=datetime.now(UTC) + timedelta(hours=1))
    rig.act(batch_id, "approve")
    amend(rig.engine, rig.client_id, batch_id, {"scheduled_at": None})
    assert rig.batch(batch_id).status == "OPEN"
    rig.append(batch_id, [{"uid": 50}])
    rig.act(batch_id, "start")
    rig.deliver_all()
    assert rig.batch(batch_id).status == "AWAITING"
    assert rig.effects() == {}


def test_a_staged_batch_awaits_after_its_start_or_its_time(rig: Rig) -> None:
    batch_id = rig.submit("log.one", ITEMS, approval=True, start="manual")
    assert rig.batch(batch_id).status == "OPEN"
    rig.act(batch_id, "start")
    rig.deliver_all()
    assert rig.batch(batch_id).status == "AWAITING"
    other = rig.submit("log.one", ITEMS, approval=True, start="manual")
    moment = datetime.now(UTC) + timedelta(hours=1)
    assert amend(rig.engine, rig.client_id, other, {"scheduled_at": moment})
    rig.deliver_all()
    rig.run_until(lambda batch: batch.status == "AWAITING", other)
    rig.act(other, "approve")
    assert rig.batch(other).status == "SCHEDULED"


def test_a_retry_runs_what_was_approved_and_awaits_what_was_not(rig: Rig) -> None:
    batch_id = _awaiting(rig, [{"uid": 0, "do": "reject"}, {"uid": 1}])
    rig.act(batch_id, "approve")
    rig.run_out(batch_id)
    rig.act(batch_id, "retry")
    rig.run_out(batch_id)
    assert rig.batch(batch_id).status == "PARTIAL", "nothing has changed since it was approved"
    rejected = _awaiting(rig, [{"uid": 2}])
    rig.act(rejected, "reject")
    rig.act(rejected, "retry", statuses=["CANCELED"])
    rig.deliver_all()
    rig.run_until(lambda batch: batch.status == "AWAITING", rejected)
    assert rig.statuses(rejected) == ["PENDING"]
    rig.act(rejected, "approve")
    rig.run_out(rejected)
    assert rig.batch(rejected).status == "SUCCESS"


def test_a_reset_batch_awaits_again(rig: Rig) -> None:
    batch_id = _awaiting(rig, [{"uid": 0}])
    rig.act(batch_id, "approve")
    rig.run_out(batch_id)
    rig.act(batch_id, "reset")
    rig.append(batch_id, [{"uid": 1}])
    rig.act(batch_id, "start")
    rig.deliver_all()
    assert rig.batch(batch_id).status == "AWAITING"
    assert rig.effects() == {"own 0": [0]}


def test_whoever_put_something_into_it_may_not_approve(rig: Rig) -> None:
    submitter, appender, other = new_id(), new_id(), new_id()
    actor.begin(actor.Actor(key_id=submitter))
    batch_id = rig.submit("log.one", [{"uid": 1}], approval=True, start="manual")
    actor.begin(actor.Actor(key_id=appender))
    rig.append(batch_id, [{"uid": 2}])
    rig.append(batch_id, [{"uid": 3}])
    actor.end()
    rig.act(batch_id, "start")
    rig.deliver_all()
    before = rig.batch(batch_id)
    assert before.status == "AWAITING"
    assert sorted(before.contributors) == sorted([submitter, appender])
    for key_id in (submitter, appender, None):
        with pytest.raises(Forbidden):
            _approve_as(rig, batch_id, key_id)
        assert rig.batch(batch_id) == before
    _approve_as(rig, batch_id, other)
    rig.run_out(batch_id)
    assert rig.batch(batch_id).status == "SUCCESS"


def test_of_two_approvals_at_once_one_is_refused(rig: Rig) -> None:
    batch_id = _awaiting(rig)
    said = _at_once(rig, batch_id, ["approve"] * 4)
    assert sorted(said) == ["done"] + ["refused"] * 3
    rig.messages.append(Message(batch_id))
    rig.run_out(batch_id)
    assert rig.batch(batch_id).completed == 15


@pytest.mark.parametrize("against", ["cancel", "reject"])
def test_approve_against_the_end(rig: Rig, against: str) -> None:
    """Whichever comes first: it runs and is then canceled, or it is not approved."""
    batch_id = _awaiting(rig)
    said = _at_once(rig, batch_id, ["approve", against])
    assert "done" in said
    rig.messages.append(Message(batch_id))
    rig.run_out(batch_id)
    batch = rig.batch(batch_id)
    ended = (batch.status, batch.stop_reason)
    if ended == ("PARTIAL", None):
        assert (against, said) == ("reject", ["done", "refused"])
    else:
        assert ended == ("CANCELED", {"cancel": "canceled", "reject": "rejected"}[against])
        assert rig.effects() == {}


def _at_once(rig: Rig, batch_id: UUID, actions: list[str]) -> list[str]:
    """What became of each."""
    ready = threading.Barrier(len(actions))
    said = [""] * len(actions)

    def do(place: int) -> None:
        actor.begin(actor.Actor(key_id=new_id()))
        ready.wait(10)
        try:
            act(rig.engine, rig.client_id, batch_id, actions[place])
            said[place] = "done"
        except WrongState:
            said[place] = "refused"

    threads = [threading.Thread(target=do, args=(place,)) for place in range(len(actions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return said


@pytest.mark.parametrize("invalid", [False, True])
def test_where_each_item_is_canceled_there_is_nothing_to_approve(rig: Rig, invalid: bool) -> None:
    batch_id = _awaiting(rig, [{"uid": "none"} if invalid else {"uid": 0}, {"uid": 1}, {"uid": 2}])
    choice = Choice(indexes=(0, 1, 2))
    assert act_on_items(rig.engine, rig.client_id, batch_id, "cancel", choice) == 3 - invalid
    rig.deliver(Message(batch_id))
    assert rig.batch(batch_id).status == ("FAILED" if invalid else "CANCELED")
    assert rig.effects() == {}


def test_chosen_items_that_nobody_approved_await_it(rig: Rig) -> None:
    batch_id = _awaiting(rig, [{"uid": 0}, {"uid": 1}])
    rig.act(batch_id, "reject")
    choice = Choice(indexes=(1,))
    assert act_on_items(rig.engine, rig.client_id, batch_id, "retry", choice) == 1
    rig.deliver(Message(batch_id))
    rig.run_until(lambda batch: batch.status == "AWAITING", batch_id)
    rig.act(batch_id, "approve")
    rig.run_out(batch_id)
    assert rig.statuses(batch_id) == ["CANCELED", "SUCCESS"]


def test_pause_while_it_is_looked_at(rig: Rig) -> None:
    batch_id = rig.submit("log.one", ITEMS, approval=True)
    rig.deliver(rig.messages.pop(0))
    rig.act(batch_id, "pause")
    rig.deliver_all()
    assert rig.batch(batch_id).status == "PAUSED"
    rig.act(batch_id, "resume")
    rig.deliver_all()
    assert rig.batch(batch_id).status == "AWAITING"


def test_a_worker_dies_while_it_looks(rig: Rig) -> None:
    batch_id = rig.submit("log.one", ITEMS, approval=True)
    rig.deliver(rig.messages.pop(0))
    worker = rig.worker()
    claimed = rig.claim(rig.messages.pop(0), worker)
    assert claimed is not None
    worker.heartbeat.die()  # type: ignore[attr-defined]
    rig.run_until(lambda batch: batch.status == "AWAITING", batch_id)
    assert rig.batch(batch_id).invalid == 5
    rig.act(batch_id, "approve")
    rig.run_out(batch_id)
    assert rig.batch(batch_id).completed == 15
    assert all(len(uids) == 1 for uids in rig.effects().values())


# What a process of a release does that knows nothing of approvals.
OF_OLD: dict[str, tuple[str, Callable[[Rig], UUID]]] = {
    "goes on after validation": (
        "phase = 'run'",
        lambda rig: rig.submit("log.one", ITEMS, approval=True),
    ),
    "ends one with an invalid item": (
        """status = 'FAILED', finished_at = now(), canceled = 15, invalid = 5,
           stop_reason = stopping, stopping = NULL""",
        lambda rig: rig.submit("log.one", ITEMS, approval=True),
    ),
    "starts one": (
        "status = 'PENDING'",
        lambda rig: rig.submit("log.one", ITEMS, approval=True, start="manual"),
    ),
    "gives one a time": (
        "status = 'SCHEDULED', scheduled_at = now()",
        lambda rig: rig.submit("log.one", ITEMS, approval=True, start="manual"),
    ),
    "begins one that awaits": ("status = 'PENDING'", _awaiting),
}


@pytest.mark.parametrize("does", OF_OLD)
def test_a_release_that_knows_no_approval_is_refused(rig: Rig, does: str) -> None:
    change, make = OF_OLD[does]
    batch_id = make(rig)
    with pytest.raises(IntegrityError, match="ck_batches_approved"):
        rig.run(f"UPDATE batches SET {change} WHERE id = :id", id=batch_id)


@pytest.mark.parametrize("status", ["RUNNING", "OPEN", "PAUSED"])
def test_postgres_refuses_moves_from_awaiting(rig: Rig, status: str) -> None:
    batch_id = _awaiting(rig)
    with pytest.raises(DBAPIError, match="may not go from AWAITING"):
        rig.run(
            "UPDATE batches SET status = :status, approval = NULL WHERE id = :id",
            status=status,
            id=batch_id,
        )


@pytest.mark.parametrize("start", ["now", "manual"])
def test_who_edits_may_not_approve(rig: Rig, start: str) -> None:
    """Also where all had been approved before: a retry after an edit awaits it again."""
    editor = new_id()
    batch_id = rig.submit("log.one", [{"uid": 0, "do": "reject"}], approval=True, start=start)
    if start == "now":
        rig.deliver_all()
        _approve_as(rig, batch_id, new_id())
        rig.run_out(batch_id)
        assert rig.statuses(batch_id) == ["FAILED"]
    actor.begin(actor.Actor(key_id=editor))
    edit_item(rig.engine, rig.registry, rig.client_id, batch_id, 0, '{"uid": 1}')
    actor.end()
    rig.act(batch_id, "retry" if start == "now" else "start")
    rig.deliver_all()
    assert rig.batch(batch_id).status == "AWAITING"
    with pytest.raises(WrongState):
        edit_item(rig.engine, rig.registry, rig.client_id, batch_id, 0, '{"uid": 2}')
    with pytest.raises(Forbidden):
        _approve_as(rig, batch_id, editor)
    _approve_as(rig, batch_id, new_id())
    rig.run_out(batch_id)
    assert rig.effects() == {"own 1": [1]}
