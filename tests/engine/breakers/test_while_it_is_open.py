"""What waits for a breaker, and what goes on beside that."""

from __future__ import annotations

from tests.engine.breaking import (
    Downstream,
    breaker,
    come_back,
    items,
    rest_is_over,
    settle_down,
    status,
    waiting_for,
)
from tests.engine.rig import Message, Rig


def test_others_of_a_mixed_batch_go_on(rig: Rig, downstream: Downstream) -> None:
    downstream.away = True
    mixed = [
        {"operation": ("calls.out", "log.one")[uid % 2], "data": {"uid": uid}} for uid in range(40)
    ]
    batch_id = rig.submit(None, mixed)
    settle_down(rig, batch_id)
    assert [item.status for item in rig.items(batch_id) if item.operation == "log.one"] == [
        "SUCCESS"
    ] * 20
    assert status(rig) == "open"
    assert waiting_for(rig, batch_id) == "breaker"
    come_back(rig, downstream)
    rig.run_out(batch_id)
    assert rig.batch(batch_id).status == "SUCCESS"


def test_keys_keep_their_order(rig: Rig, downstream: Downstream) -> None:
    downstream.away = True
    # The first of each key are as many as open it, and none of them is tried again before that.
    downstream.after = 1.0
    batch_id = rig.submit("calls.out", [{"uid": uid, "key": "abcd"[uid % 4]} for uid in range(20)])
    settle_down(rig, batch_id)
    come_back(rig, downstream)
    before = len(downstream.seen)
    rig.run_out(batch_id)
    assert rig.batch(batch_id).status == "SUCCESS"
    for key in range(4):
        seen = [uid for uid in downstream.seen[before:] if uid % 4 == key]
        assert seen == sorted(seen)


def test_what_waits_can_be_canceled(rig: Rig, downstream: Downstream) -> None:
    downstream.away = True
    batch_id = rig.submit("calls.out", items(20))
    settle_down(rig, batch_id)
    assert set(rig.statuses(batch_id)) == {"PENDING"}
    rig.act(batch_id, "cancel")
    settle_down(rig, batch_id)
    assert rig.batch(batch_id).status == "CANCELED"
    # Nobody is left to try; who comes next does, at once.
    rest_is_over(rig)
    rig.sweep()
    settle_down(rig, batch_id)
    assert status(rig) == "open"
    come_back(rig, downstream)
    later = rig.submit("calls.out", items(3))
    rig.run_out(later)
    assert status(rig) == "closed"


def test_a_paused_batch_does_not_try(rig: Rig, downstream: Downstream) -> None:
    downstream.away = True
    batch_id = rig.submit("calls.out", items(20))
    settle_down(rig, batch_id)
    rig.act(batch_id, "pause")
    before = len(downstream.seen)
    rest_is_over(rig)
    rig.sweep()
    settle_down(rig, batch_id)
    assert len(downstream.seen) == before
    come_back(rig, downstream)
    rig.act(batch_id, "resume")
    rig.run_out(batch_id)
    assert rig.batch(batch_id).status == "SUCCESS"


def test_a_death_before_the_batch_knew_is_made_good(rig: Rig, downstream: Downstream) -> None:
    downstream.away = True
    batch_id = rig.submit("calls.out", items(10))
    settle_down(rig, batch_id)
    rig.run("UPDATE batches SET held = NULL, due_at = NULL WHERE id = :id", id=batch_id)
    rig.time_passes()
    rig.sweep()
    settle_down(rig, batch_id)
    assert rig.batch(batch_id).held == [breaker(rig, "calls.out").id]
    come_back(rig, downstream)
    rig.run_out(batch_id)


def test_an_item_taken_in_many_waits_alone(rig: Rig, downstream: Downstream) -> None:
    """What waits by itself costs nothing while it does, however often the batch is looked at."""
    downstream.away = True
    mixed = [{"operation": "calls.out", "data": {"uid": uid}} for uid in range(40)]
    batch_id = rig.submit(None, [*mixed, {"operation": "log.one", "data": {"uid": 99}}])
    settle_down(rig, batch_id)
    assert status(rig) == "open"
    written = "SELECT xmin FROM items WHERE batch_id = :id ORDER BY index"
    before = rig.rows(written, id=batch_id)
    for _ in range(3):
        rig.deliver(Message(batch_id))
        rig.time_passes()
        rig.sweep()
        settle_down(rig, batch_id)
    assert rig.rows(written, id=batch_id) == before
    come_back(rig, downstream)
    rig.run_out(batch_id)
    assert rig.batch(batch_id).status == "SUCCESS"
