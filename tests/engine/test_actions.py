"""Every action in every state: what the contract allows is done, all else is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.batches.actions import ACTIONS, act, amend, remove
from app.batches.actions.chosen import ITEM_ACTIONS, ItemAction, act_on_items
from app.batches.actions.edit import edit_item
from app.batches.choices import Choice
from app.batches.ramp import Ramp
from app.core import lifecycle
from app.core.errors import Invalid, NotFound, WrongState
from tests.engine.rig import Rig

# PAUSED as well, by its ramp: what may be done is the same.
HELD = "PAUSED by its ramp"
LATER = timedelta(hours=1)
ENDED = set(lifecycle.BATCH_ENDED)
ALLOWED = {
    "start": {"OPEN", "SCHEDULED"},
    "approve": {"AWAITING"},
    "reject": {"AWAITING"},
    "pause": {"PENDING", "RUNNING"},
    "resume": {"PAUSED"},
    "cancel": {"OPEN", "SCHEDULED", "AWAITING", "PENDING", "RUNNING", "PAUSED"},
    "retry": ENDED,
    "reset": ENDED,
}
# Of which an item that did not succeed can be edited.
EDITABLE = {"OPEN"} | ENDED
GOOD: dict[str, Any] = {"uid": 1}
BAD: dict[str, Any] = {"uid": 2, "do": "reject"}


def _open(rig: Rig) -> UUID:
    return rig.submit("log.one", [GOOD, BAD], start="manual")


def _scheduled(rig: Rig) -> UUID:
    return rig.submit("log.one", [GOOD, BAD], scheduled_at=datetime.now(UTC) + LATER)


def _awaiting(rig: Rig) -> UUID:
    batch_id = rig.submit("log.one", [GOOD, BAD], approval=True)
    rig.deliver_all()
    return batch_id


def _pending(rig: Rig) -> UUID:
    batch_id = rig.submit("log.one", [GOOD, BAD])
    rig.messages.clear()
    return batch_id


def _running(rig: Rig) -> UUID:
    batch_id = rig.submit("log.one", [GOOD, BAD])
    rig.deliver(rig.messages.pop())
    return batch_id


def _paused(rig: Rig) -> UUID:
    batch_id = _running(rig)
    rig.act(batch_id, "pause")
    return batch_id


def _held(rig: Rig) -> UUID:
    ramp = Ramp((1,), "approve", Decimal(100))
    batch_id = rig.submit("log.one", [GOOD, BAD], ramp=ramp)
    rig.run_until(lambda batch: batch.ramp_held, batch_id)
    return batch_id


def _success(rig: Rig) -> UUID:
    return _ended(rig, [GOOD])


def _partial(rig: Rig) -> UUID:
    return _ended(rig, [GOOD, BAD])


def _failed(rig: Rig) -> UUID:
    return _ended(rig, [BAD])


def _canceled(rig: Rig) -> UUID:
    batch_id = _open(rig)
    rig.act(batch_id, "cancel")
    return batch_id


def _ended(rig: Rig, items: list[dict[str, Any]]) -> UUID:
    batch_id = rig.submit("log.one", items)
    rig.run_out(batch_id)
    return batch_id


STATES: dict[str, Callable[[Rig], UUID]] = {
    "OPEN": _open,
    "SCHEDULED": _scheduled,
    "AWAITING": _awaiting,
    "PENDING": _pending,
    "RUNNING": _running,
    "PAUSED": _paused,
    HELD: _held,
    "SUCCESS": _success,
    "PARTIAL": _partial,
    "FAILED": _failed,
    "CANCELED": _canceled,
}
EVERY_ITEM_STATUS = ("FAILED", "INVALID", "CANCELED")


def status_of(state: str) -> str:
    """How a batch in one of STATES shows itself."""
    return state.partition(" ")[0]


def test_every_state_is_tried() -> None:
    assert set(map(status_of, STATES)) == set(lifecycle.BATCH_STATUSES)
    assert set(ALLOWED) == set(ACTIONS)


@pytest.mark.parametrize("state", STATES)
def test_edit_in_state(rig: Rig, state: str) -> None:
    """What it changes is an item: the batch stays as it is."""
    batch_id = STATES[state](rig)
    before, item = rig.batch(batch_id), rig.items(batch_id)[-1]
    # The last item of one that succeeded has, too.
    if status_of(state) in EDITABLE - {"SUCCESS"}:
        edited = edit_item(
            rig.engine, rig.registry, rig.client_id, batch_id, item.index, '{"uid": 3}'
        )
        assert (edited.status, edited.input) == (item.status, '{"uid": 3}')
    else:
        with pytest.raises(WrongState, match=status_of(state)):
            edit_item(rig.engine, rig.registry, rig.client_id, batch_id, item.index, '{"uid": 3}')
        assert rig.items(batch_id)[-1] == item
    assert rig.batch(batch_id) == before


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("action", ACTIONS)
def test_action_in_state(rig: Rig, action: str, state: str) -> None:
    batch_id = STATES[state](rig)
    before, status = rig.batch(batch_id), status_of(state)
    assert (before.status, before.ramp_held) == (status, state == HELD)
    statuses = EVERY_ITEM_STATUS if action == "retry" else None
    # Nothing of a batch that succeeded can be retried.
    if status in ALLOWED[action] and (action, state) != ("retry", "SUCCESS"):
        rig.act(batch_id, action, statuses=statuses)
        assert rig.batch(batch_id).status != status
        assert not rig.batch(batch_id).ramp_held
        assert rig.batch(batch_id).revision > before.revision
    else:
        with pytest.raises(WrongState, match=f"is {status}"):
            rig.act(batch_id, action, statuses=statuses)
        assert rig.batch(batch_id) == before


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("action", ITEM_ACTIONS)
def test_item_action_in_state(rig: Rig, action: ItemAction, state: str) -> None:
    """Of one item: `retry` begins an ended batch anew, `cancel` leaves the batch as it is."""
    batch_id, status = STATES[state](rig), status_of(state)
    before, items = rig.batch(batch_id), rig.items(batch_id)
    allowed = ENDED - {"SUCCESS"} if action == "retry" else set(lifecycle.BATCH_UNENDED)
    choice = Choice(indexes=(items[-1].index,))
    if status in allowed:
        assert act_on_items(rig.engine, rig.client_id, batch_id, action, choice) == 1
        after = "PENDING" if action == "retry" else "CANCELED"
        assert rig.statuses(batch_id)[-1] == after
        assert rig.batch(batch_id).status == ("PENDING" if action == "retry" else status)
        assert rig.batch(batch_id).ramp_held == (state == HELD)
    else:
        with pytest.raises(WrongState, match=f"is {status}"):
            act_on_items(rig.engine, rig.client_id, batch_id, action, choice)
        assert (rig.batch(batch_id), rig.items(batch_id)) == (before, items)


@pytest.mark.parametrize("state", STATES)
def test_removing_in_state(rig: Rig, state: str) -> None:
    batch_id, status = STATES[state](rig), status_of(state)
    if status in ENDED:
        remove(rig.engine, rig.client_id, batch_id)
        assert not rig.rows("SELECT 1 FROM batches WHERE id = :id", id=batch_id)
        assert not rig.items(batch_id)
    else:
        with pytest.raises(WrongState, match=f"is {status}"):
            remove(rig.engine, rig.client_id, batch_id)
        assert len(rig.items(batch_id)) == 2


@pytest.mark.parametrize("state", STATES)
def test_amending_in_state(rig: Rig, state: str) -> None:
    batch_id, status = STATES[state](rig), status_of(state)
    amend(rig.engine, rig.client_id, batch_id, {"name": "new", "metadata": {"a": [1]}})
    batch = rig.batch(batch_id)
    assert (batch.status, batch.name, batch.metadata) == (status, "new", {"a": [1]})
    amend(rig.engine, rig.client_id, batch_id, {"metadata": None})
    assert (rig.batch(batch_id).name, rig.batch(batch_id).metadata) == ("new", None)

    moment = datetime.now(UTC) + 2 * LATER
    if state in ("OPEN", "SCHEDULED"):
        amend(rig.engine, rig.client_id, batch_id, {"scheduled_at": moment})
        assert rig.batch(batch_id).scheduled_at == moment
        assert rig.batch(batch_id).status == "SCHEDULED"
        amend(rig.engine, rig.client_id, batch_id, {"scheduled_at": None})
        assert rig.batch(batch_id).scheduled_at is None
        assert rig.batch(batch_id).status == "OPEN"
    else:
        with pytest.raises(WrongState, match=f"is {status}"):
            amend(rig.engine, rig.client_id, batch_id, {"name": "x", "scheduled_at": moment})
        assert rig.batch(batch_id).name == "new"


def test_another_clients_batch_is_not_there(rig: Rig, rig_registry: object) -> None:
    batch_id = _open(rig)
    for action in ACTIONS:
        with pytest.raises(NotFound):
            act(rig.engine, uuid4(), batch_id, action)
        with pytest.raises(NotFound):
            act(rig.engine, rig.client_id, uuid4(), action)
    with pytest.raises(NotFound):
        remove(rig.engine, uuid4(), batch_id)
    with pytest.raises(NotFound):
        amend(rig.engine, uuid4(), batch_id, {"name": "mine"})
    with pytest.raises(NotFound, match="explode"):
        act(rig.engine, rig.client_id, batch_id, "explode")


def test_an_empty_batch_is_not_started(rig: Rig) -> None:
    batch_id = rig.submit("log.one", [], start="manual")
    with pytest.raises(WrongState, match="OPEN and empty"):
        rig.act(batch_id, "start")
    with pytest.raises(WrongState, match="OPEN and empty"):
        amend(rig.engine, rig.client_id, batch_id, {"scheduled_at": datetime.now(UTC) + LATER})
    rig.act(batch_id, "cancel")
    assert rig.batch(batch_id).status == "CANCELED"


def test_a_time_that_is_past_is_refused(rig: Rig) -> None:
    batch_id = _scheduled(rig)
    with pytest.raises(Invalid) as refused:
        amend(rig.engine, rig.client_id, batch_id, {"scheduled_at": datetime.now(UTC)})
    assert refused.value.errors[0].pointer == "/scheduledAt"


def test_start_may_honour_a_time_to_come(rig: Rig) -> None:
    moment = datetime.now(UTC) + LATER
    batch_id = rig.submit("log.one", [GOOD], start="manual", scheduled_at=moment)
    assert rig.batch(batch_id).status == "OPEN"
    rig.act(batch_id, "start", honour_schedule=True)
    assert rig.batch(batch_id).status == "SCHEDULED"
    rig.act(batch_id, "start")
    assert rig.batch(batch_id).status == "PENDING"


def test_cancel_ends_at_once_what_nobody_holds(rig: Rig) -> None:
    batch_id = rig.submit("log.one", [{"uid": n} for n in range(40)])
    rig.deliver(rig.messages.pop(0))
    rig.deliver(rig.messages.pop(0))
    rig.act(batch_id, "cancel")
    batch = rig.batch(batch_id)
    assert (batch.status, batch.stop_reason) == ("CANCELED", "canceled")
    assert (batch.completed, batch.canceled) == (5, 35)
    assert not rig.slices(batch_id)


def test_cancel_lets_what_is_under_way_finish(rig: Rig) -> None:
    batch_id = rig.submit("log.one", [{"uid": n} for n in range(40)])
    rig.deliver(rig.messages.pop(0))
    worker = rig.worker()
    claimed = rig.claim(rig.messages[1], worker)
    assert claimed is not None
    rig.act(batch_id, "cancel")
    batch = rig.batch(batch_id)
    assert (batch.status, batch.stopping, batch.canceled) == ("RUNNING", "canceled", 35)
    assert rig.statuses(batch_id)[5:10] == ["PENDING"] * 5
    for action in ("pause", "resume"):
        with pytest.raises(WrongState, match="is RUNNING"):
            rig.act(batch_id, action)
    rig.deliver_all()  # nothing more is begun
    assert rig.batch(batch_id).status == "RUNNING"
    rig.finish(claimed, worker)
    rig.run_out(batch_id)
    batch = rig.batch(batch_id)
    assert (batch.status, batch.completed, batch.canceled) == ("CANCELED", 5, 35)


def test_a_held_slice_given_back_after_cancel_is_canceled(rig: Rig) -> None:
    batch_id = rig.submit("log.one", [{"uid": n} for n in range(9)])
    rig.deliver(rig.messages.pop(0))
    worker = rig.worker()
    claimed = rig.claim(rig.messages[0], worker)
    assert claimed is not None
    rig.act(batch_id, "cancel")
    worker.heartbeat.give_back(claimed.claim)
    rig.messages.clear()
    rig.run_out(batch_id)
    assert rig.batch(batch_id).status == "CANCELED"
    assert rig.statuses(batch_id) == ["CANCELED"] * 9


def test_pause_and_resume_lose_no_message(rig: Rig) -> None:
    batch_id = rig.submit("log.one", [{"uid": n} for n in range(30)])
    rig.deliver(rig.messages.pop(0))
    rig.deliver(rig.messages.pop(0))
    rig.act(batch_id, "pause")
    rig.deliver_all()
    rig.sweep()
    rig.deliver_all()
    assert rig.statuses(batch_id) == ["SUCCESS"] * 5 + ["PENDING"] * 25
    rig.act(batch_id, "resume")
    rig.deliver_all()  # without the sweep, and without a second chance
    assert rig.batch(batch_id).status == "SUCCESS"
    assert all(len(uids) == 1 for uids in rig.effects().values())


def test_pause_before_the_beginning(rig: Rig) -> None:
    batch_id = _pending(rig)
    rig.act(batch_id, "pause")
    rig.sweep()
    rig.deliver_all()
    assert rig.batch(batch_id).status == "PAUSED"
    rig.act(batch_id, "resume")
    assert rig.batch(batch_id).status == "PENDING"
    rig.deliver_all()
    assert rig.batch(batch_id).status == "PARTIAL"


def test_retry_runs_only_what_failed(rig: Rig) -> None:
    batch_id = rig.submit("log.one", [{"uid": 0}, {"uid": 1, "do": "broken"}, {"uid": "x"}])
    rig.run_out(batch_id)
    assert rig.statuses(batch_id) == ["SUCCESS", "FAILED", "INVALID"]
    assert rig.items(batch_id)[1].attempts == 3
    rig.run(
        "UPDATE items SET input = '{\"uid\": 1}' WHERE batch_id = :id AND index = 1", id=batch_id
    )
    rig.act(batch_id, "retry")
    batch, item = rig.batch(batch_id), rig.items(batch_id)[1]
    assert (batch.status, batch.completed, batch.failed, batch.invalid) == ("PENDING", 1, 0, 1)
    assert (batch.finished_at, batch.started_at, batch.stop_reason) == (None, None, None)
    assert (item.status, item.attempts, item.code, item.message) == ("PENDING", 0, None, None)
    rig.run_out(batch_id)
    assert rig.statuses(batch_id) == ["SUCCESS", "SUCCESS", "INVALID"]
    assert rig.items(batch_id)[1].attempts == 1
    assert rig.effects() == {"own 0": [0], "own 1": [1]}
    with pytest.raises(WrongState, match="is PARTIAL and has no item that ended FAILED"):
        rig.act(batch_id, "retry")


@pytest.mark.parametrize("statuses", [[], ["SUCCESS"], ["FAILED", "PENDING"]])
def test_only_what_went_wrong_can_be_retried(rig: Rig, statuses: list[str]) -> None:
    batch_id = _partial(rig)
    with pytest.raises(Invalid) as refused:
        rig.act(batch_id, "retry", statuses=statuses)
    assert refused.value.errors[0].pointer.startswith("/statuses")


def test_retried_items_of_one_key_keep_their_order(rig: Rig) -> None:
    items = [{"uid": n, "key": "k" if n % 3 else None} for n in range(30)]
    batch_id = rig.submit("log.one", items, start="manual")
    rig.act(batch_id, "cancel")
    rig.act(batch_id, "retry", statuses=["CANCELED"])
    rig.run_out(batch_id)
    assert rig.batch(batch_id).status == "SUCCESS"
    assert rig.effects()["k"] == [n for n in range(30) if n % 3]


def test_retry_of_a_rejected_batch_looks_again(rig: Rig) -> None:
    items: list[dict[str, Any]] = [{"uid": 0}, {"uid": "none"}, {"uid": 2}]
    batch_id = rig.submit("log.one", items, on_invalid="reject")
    rig.run_out(batch_id)
    assert rig.batch(batch_id).status == "FAILED"
    assert rig.statuses(batch_id) == ["CANCELED", "INVALID", "CANCELED"]
    rig.act(batch_id, "retry", statuses=["CANCELED"])
    rig.run_out(batch_id)
    assert rig.statuses(batch_id) == ["CANCELED", "INVALID", "CANCELED"]
    rig.run(
        "UPDATE items SET input = '{\"uid\": 1}' WHERE batch_id = :id AND index = 1", id=batch_id
    )
    rig.act(batch_id, "retry", statuses=["CANCELED", "INVALID"])
    rig.run_out(batch_id)
    assert rig.statuses(batch_id) == ["SUCCESS"] * 3
    assert rig.effects() == {f"own {n}": [n] for n in range(3)}


def test_retry_forgives_earlier_failures(rig: Rig) -> None:
    items = [{"uid": n, "do": "reject" if n in (0, 1, 11) else "succeed"} for n in range(12)]
    batch_id = rig.submit("log.one", items, max_failures=1)
    rig.run_out(batch_id)
    batch = rig.batch(batch_id)
    assert (batch.status, batch.stop_reason, batch.failed) == ("FAILED", "max_failures", 2)
    rig.act(batch_id, "retry", statuses=["CANCELED"])
    rig.run_out(batch_id)
    batch = rig.batch(batch_id)
    assert (batch.status, batch.stop_reason) == ("PARTIAL", None)
    assert (batch.completed, batch.failed, batch.canceled) == (9, 3, 0)


def test_reset_empties_the_batch(rig: Rig) -> None:
    batch_id = _partial(rig)
    rig.act(batch_id, "reset")
    batch = rig.batch(batch_id)
    assert (batch.status, batch.total, batch.completed, batch.failed) == ("OPEN", 0, 0, 0)
    assert (batch.started_at, batch.finished_at) == (None, None)
    assert not rig.items(batch_id)
    rig.append(batch_id, [{"uid": 10}, {"uid": 11}])
    rig.act(batch_id, "start")
    rig.run_out(batch_id)
    assert rig.batch(batch_id).status == "SUCCESS"
    assert rig.statuses(batch_id) == ["SUCCESS"] * 2
