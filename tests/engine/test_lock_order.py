"""Who has a slice locked does not wait for its batch: whoever has that may want the slice."""

from __future__ import annotations

import threading

from sqlalchemy import text

from tests.engine.rig import Rig
from tests.support.stack import wait_for


def test_a_slice_that_ends_waits_for_its_batch_without_its_own_lock(rig: Rig) -> None:
    """`cancel` and `resume` lock the batch, and then what they saw READY."""
    batch_id = rig.submit("log.one", [{"uid": n, "do": "retry"} for n in range(20)])
    rig.deliver(rig.messages.pop(0))
    message = rig.messages.pop(0)
    assert message.number is not None
    rig.run("UPDATE batches SET turn_at = NULL WHERE id = :id", id=batch_id)
    with rig.engine.begin() as canceling:
        locked = text("SELECT FROM batches WHERE id = :id FOR NO KEY UPDATE")
        canceling.execute(locked, {"id": batch_id})
        ending = threading.Thread(target=rig.deliver, args=(message,))
        ending.start()
        try:
            wait_for(lambda: _waits(rig) or not ending.is_alive(), within=20)
            assert ending.is_alive(), "it joins the line, for which it needs the batch"
            at_once = text("SELECT FROM slices WHERE batch_id = :id FOR UPDATE NOWAIT")
            canceling.execute(at_once, {"id": batch_id})
        finally:
            canceling.rollback()
            ending.join(20)
    rig.run_out(batch_id)
    assert rig.batch(batch_id).status in ("SUCCESS", "FAILED", "PARTIAL")


def test_so_does_one_that_stops_its_batch(rig: Rig) -> None:
    """With it too many have failed, which is written of the batch."""
    items = [{"uid": n, "do": "reject"} for n in range(20)]
    batch_id = rig.submit("log.one", items, max_failures=0)
    rig.deliver(rig.messages.pop(0))
    message = rig.messages.pop(0)
    with rig.engine.begin() as canceling:
        locked = text("SELECT FROM batches WHERE id = :id FOR NO KEY UPDATE")
        canceling.execute(locked, {"id": batch_id})
        ending = threading.Thread(target=rig.deliver, args=(message,))
        ending.start()
        try:
            wait_for(lambda: _waits(rig) or not ending.is_alive(), within=20)
            assert ending.is_alive(), "it stops the batch, for which it needs it"
            at_once = text("SELECT FROM slices WHERE batch_id = :id FOR UPDATE NOWAIT")
            canceling.execute(at_once, {"id": batch_id})
        finally:
            canceling.rollback()
            ending.join(20)
    rig.run_out(batch_id)
    assert rig.batch(batch_id).stop_reason == "max_failures"


def _waits(rig: Rig) -> bool:
    """Whether a session waits for another's lock."""
    found = rig.rows(
        """SELECT FROM pg_stat_activity
           WHERE wait_event_type = 'Lock' AND datname = current_database()"""
    )
    return bool(found)
