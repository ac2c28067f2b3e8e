"""Steps of a ramp, whoever ends them: several workers at once, dead ones, a release before."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy.exc import IntegrityError

from tests.engine.ramping import ended_of, numbered, submit_ramped, until_held
from tests.engine.rig import Message, Rig


def test_slices_that_end_at_once_let_the_next_step_in_once(rig: Rig) -> None:
    rig = Rig(rig.engine, rig.settings, rig.registry, slots=4)
    batch_id = submit_ramped(rig, numbered(60), 20, hold="approve")
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
    batch = until_held(rig, batch_id)
    assert (batch.status, batch.completed, batch.ramp_end) == ("PAUSED", 20, None)
    assert rig.slices(batch_id) == []


@pytest.mark.parametrize("died", [1, 2])
def test_a_worker_that_dies_in_a_step(rig: Rig, died: int) -> None:
    batch_id = submit_ramped(rig, numbered(30), 8)
    rig.deliver(rig.messages.pop(0))
    for _ in range(died):
        message = next(one for one in rig.messages if one.number is not None)
        rig.messages.remove(message)
        worker = rig.worker()
        assert rig.claim(message, worker)
        worker.heartbeat.die()  # type: ignore[attr-defined]
    batch = until_held(rig, batch_id)
    assert (batch.status, batch.completed, ended_of(rig, batch_id)) == ("PAUSED", 8, list(range(8)))


def test_whoever_knows_nothing_of_ramps_plans_nothing(rig: Rig) -> None:
    """As workers of the release before do: they count waves, and note no more."""
    batch_id = submit_ramped(rig, numbered(30), 8)
    as_before = "UPDATE batches SET wave = wave + 1, status = 'RUNNING' WHERE id = :id"
    with pytest.raises(IntegrityError, match="ramped"):
        rig.run(as_before, id=batch_id)
    until_held(rig, batch_id)
    with pytest.raises(IntegrityError, match="ramped"):
        rig.run("UPDATE batches SET ramp_end = 9, wave = wave + 1 WHERE id = :id", id=batch_id)
    rig.run(as_before, id=batch_id)  # behind the last step nothing is held back
