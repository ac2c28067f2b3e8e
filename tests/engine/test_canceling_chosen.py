"""Very many chosen items are canceled in steps, which anybody may go on with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from app.batches.actions import ACTIONS
from app.batches.actions.chosen import act_on_items
from app.batches.choices import Choice
from app.batches.long_work import Left, Pace, continue_long_work
from app.batches.queries import find_batch
from app.core import lifecycle
from app.core.errors import WrongState
from app.db.statements.batches import lock_batch_row
from tests.engine.rig import Message, Rig
from tests.engine.test_claims_amid_cancel import before_statement
from workers.engine.claim.claims import ClaimedSlice

# A step of two items: the first one in the transaction that asks, one more behind it.
STEP = Pace(items=2, seconds=0.0)
ITEMS = 20
ALL = Choice(statuses=("PENDING",))


def _submit(rig: Rig, **options: Any) -> UUID:
    batch_id = rig.submit("log.one", [{"uid": n} for n in range(ITEMS)], **options)
    rig.messages.clear()
    return batch_id


def _cancel(rig: Rig, batch_id: UUID, choice: Choice = ALL) -> int:
    return act_on_items(rig.engine, rig.client_id, batch_id, "cancel", choice, pace=STEP)


def _by_steps(rig: Rig, batch_id: UUID) -> None:
    while continue_long_work(rig.engine, batch_id, STEP) is Left.MORE:
        pass


def _by_workers(rig: Rig, batch_id: UUID) -> None:
    rig.runtime.pace = STEP
    rig.messages.append(Message(batch_id))
    rig.deliver_all()


def _by_the_sweep(rig: Rig, batch_id: UUID) -> None:
    """Whoever was asked is gone, and no message is left."""
    rig.runtime.pace = STEP
    while rig.batch(batch_id).doing:
        rig.time_passes()
        rig.sweep()
        [message] = [each for each in rig.messages if each.batch_id == batch_id][:1]
        rig.messages.remove(message)
        rig.deliver(message)


@pytest.mark.parametrize("go_on", [_by_steps, _by_workers, _by_the_sweep])
@pytest.mark.parametrize("state", ["OPEN", "PENDING", "PAUSED"])
def test_it_is_gone_on_with_by_anybody(
    rig: Rig, state: str, go_on: Callable[[Rig, UUID], None]
) -> None:
    batch_id = _submit(rig, start="manual" if state == "OPEN" else "now")
    if state == "PAUSED":
        rig.act(batch_id, "pause")
    chosen = Choice(indexes=None, key=None, statuses=("PENDING",))
    assert _cancel(rig, batch_id, chosen) == ITEMS
    batch = rig.batch(batch_id)
    assert (batch.status, batch.doing, batch.canceled) == (state, "cancel_items", 4)
    go_on(rig, batch_id)
    batch = rig.batch(batch_id)
    assert (batch.doing, batch.doing_where, batch.canceled) == (None, None, ITEMS)
    assert rig.statuses(batch_id) == ["CANCELED"] * ITEMS
    if state != "OPEN":
        # A PAUSED one of which nothing is left ends without being resumed.
        rig.messages.append(Message(batch_id))
        rig.run_out(batch_id)
        assert rig.batch(batch_id).status == "CANCELED"
    [row] = rig.rows("SELECT detail FROM audit WHERE batch_id = :id AND action = 'items.cancel'",
                     id=batch_id)  # fmt: skip
    assert row.detail == {"statuses": ["PENDING"], "items": ITEMS}


def test_no_step_is_about_more_than_its_items(rig: Rig) -> None:
    """So that it holds the batch's row no longer, however many are chosen."""
    batch_id = _submit(rig, start="manual")
    _cancel(rig, batch_id)
    seen = []
    while rig.batch(batch_id).doing:
        with rig.engine.connect() as connection:
            view = find_batch(connection, rig.client_id, batch_id)
        assert view.doing is not None
        assert (view.doing.action, view.doing.total) == ("cancel", ITEMS)
        assert view.summary.canceled == view.doing.done
        seen.append(view.doing.done)
        continue_long_work(rig.engine, batch_id, STEP)
    assert seen == list(range(4, ITEMS, 2))


def test_nothing_more_is_planned_before_it_is_over(rig: Rig) -> None:
    rig.runtime.pace = STEP
    rig.run("DELETE FROM workers WHERE id <> :id", id=rig.runtime.heartbeat.worker_id)
    batch_id = _submit(rig)
    rig.deliver(Message(batch_id))  # two slices of five, as there is one slot
    slices = [message for message in rig.messages if message.number is not None]
    claimed = rig.claim(slices[0], rig.runtime)
    assert claimed is not None
    # What is claimed is not chosen, and finishes; of what is READY nothing is begun.
    assert _cancel(rig, batch_id) == ITEMS - 5
    assert rig.batch(batch_id).doing == "cancel_items"
    for message in slices[1:]:
        rig.deliver(message)
    rig.finish(claimed, rig.runtime)
    seen = 0
    while rig.batch(batch_id).doing:
        assert rig.batch(batch_id).wave == 1
        rig.messages.clear()
        rig.deliver(Message(batch_id))
        seen += 1
    assert seen
    rig.run_out(batch_id)
    batch = rig.batch(batch_id)
    assert (batch.status, batch.completed, batch.canceled) == ("PARTIAL", 5, 15)


def test_nobody_waits_while_they_are_counted(rig: Rig) -> None:
    """However large the batch is: slices can be claimed, and its row can be had."""
    batch_id = _submit(rig)
    rig.deliver(Message(batch_id))
    slices = [message for message in rig.messages if message.number is not None]
    claimed: list[ClaimedSlice] = []

    def meanwhile() -> None:
        with rig.engine.begin() as connection:
            row = connection.execute(lock_batch_row(if_free=True), {"batch_id": batch_id})
            assert row.one_or_none() is not None
        if found := rig.claim(slices[0], rig.runtime):
            claimed.append(found)

    with before_statement(rig, "SELECT count(*) FROM items", meanwhile):
        assert _cancel(rig, batch_id) == ITEMS - 5, "what was claimed by then is passed over"
    _by_steps(rig, batch_id)
    assert rig.statuses(batch_id).count("CANCELED") == ITEMS - 5
    assert rig.finish(claimed[0], rig.runtime)
    rig.messages.append(Message(batch_id))
    rig.run_out(batch_id)
    assert (rig.batch(batch_id).completed, rig.batch(batch_id).canceled) == (5, ITEMS - 5)


def test_few_are_canceled_in_one_step_wherever_they_are(rig: Rig) -> None:
    items = [{"uid": n, "key": "rare" if n in (2, 17) else "k"} for n in range(ITEMS)]
    batch_id = rig.submit("log.one", items, start="manual")
    assert _cancel(rig, batch_id, Choice(key="rare")) == 2
    batch = rig.batch(batch_id)
    assert (batch.doing, batch.canceled) == (None, 2)
    assert [item.index for item in rig.items(batch_id) if item.status == "CANCELED"] == [2, 17]


def test_the_rest_goes_on_by_itself(rig: Rig) -> None:
    rig.runtime.pace = STEP
    items = [{"uid": n, "key": "ab"[n % 2]} for n in range(ITEMS)]
    batch_id = rig.submit("log.one", items)
    rig.messages.clear()
    assert _cancel(rig, batch_id, Choice(key="a")) == ITEMS // 2
    rig.messages.append(Message(batch_id))
    rig.run_out(batch_id)
    batch = rig.batch(batch_id)
    assert (batch.status, batch.completed, batch.canceled) == ("PARTIAL", 10, 10)
    assert rig.effects() == {"b": [n for n in range(ITEMS) if n % 2]}


def test_lanes_are_found_behind_it_from_where_they_were(rig: Rig) -> None:
    """The engine marks lanes in steps as well, and a batch does one thing at a time."""
    rig.runtime.pace = Pace(items=4, seconds=0.0)
    items = [{"uid": n, "key": f"k{n % 3}"} for n in range(ITEMS)]
    batch_id = rig.submit("log.one", items)
    rig.deliver(rig.messages.pop(0))
    before = rig.batch(batch_id)
    assert before.doing in (lifecycle.FIND_KEYS, lifecycle.MARK_LANES)
    rig.messages.clear()
    assert _cancel(rig, batch_id, Choice(key="k1")) == 7
    assert rig.batch(batch_id).doing == lifecycle.CANCEL_ITEMS
    _by_steps(rig, batch_id)
    after = rig.batch(batch_id)
    assert (after.doing, after.doing_index, after.doing_done, after.doing_total) == (
        before.doing,
        before.doing_index,
        before.doing_done,
        before.doing_total,
    )
    rig.run_out(batch_id)
    batch = rig.batch(batch_id)
    assert (batch.status, batch.completed, batch.canceled) == ("PARTIAL", 13, 7)
    assert rig.effects() == {
        "k0": [n for n in range(ITEMS) if n % 3 == 0],
        "k2": [n for n in range(ITEMS) if n % 3 == 2],
    }


def test_until_it_is_over_only_cancel_is_allowed(rig: Rig) -> None:
    batch_id = _submit(rig)
    _cancel(rig, batch_id)
    for action in ACTIONS:
        if action != "cancel":
            with pytest.raises(WrongState, match="is PENDING and being canceled in part"):
                rig.act(batch_id, action)
    with pytest.raises(WrongState, match="being canceled in part"):
        _cancel(rig, batch_id)
    rig.act(batch_id, "cancel")
    rig.run_out(batch_id)
    batch = rig.batch(batch_id)
    assert (batch.status, batch.canceled, batch.doing) == ("CANCELED", ITEMS, None)


def test_where_nothing_is_chosen_nothing_is_written(rig: Rig) -> None:
    batch_id = _submit(rig)
    before = rig.batch(batch_id)
    for choice in (Choice(key="none"), Choice(failure="f"), Choice(indexes=(99,))):
        with pytest.raises(WrongState, match="no item is chosen that can be canceled"):
            _cancel(rig, batch_id, choice)
    assert rig.batch(batch_id) == before
