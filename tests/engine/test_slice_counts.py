"""What is told of slices: how many a worker could take now, by which workers are scaled."""

from __future__ import annotations

from collections import Counter

from app.db.statements.gauges import COUNT_SLICES
from tests.engine.rig import Rig


def told(rig: Rig) -> Counter[str]:
    with rig.engine.connect() as connection:
        found: Counter[str] = Counter()
        for row in connection.execute(COUNT_SLICES):
            found[row.state] += row.number
        return found


def test_what_no_worker_may_take_now_is_not_ready(rig: Rig) -> None:
    """As a difference: other tests leave slices behind."""
    before = told(rig)
    batch_id = rig.submit("log.one", [{"uid": n} for n in range(40)])
    rig.deliver(rig.messages.pop(0))
    planned = len(rig.slices(batch_id))
    assert told(rig) - before == {"READY": planned}
    rig.act(batch_id, "pause")
    assert told(rig) - before == {"WAITING": planned}
    rig.act(batch_id, "resume")
    assert told(rig) - before == {"READY": planned}
    for waits in ("parked_at = now()", "not_before = now() + interval '1 hour'"):
        rig.run(f"UPDATE slices SET {waits} WHERE batch_id = :id AND number = 0", id=batch_id)
        assert told(rig) - before == {"READY": planned - 1, "WAITING": 1}
        rig.run(
            "UPDATE slices SET parked_at = NULL, not_before = NULL WHERE batch_id = :id",
            id=batch_id,
        )
    rig.act(batch_id, "cancel")
    assert not (told(rig) - before)["READY"]
    rig.run_out(batch_id)
