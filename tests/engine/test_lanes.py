"""Lanes of large batches, found and marked in steps: the same lanes, and the same order."""

from __future__ import annotations

import random
from typing import Any
from uuid import UUID

import pytest

from app.batches.long_work import Left, Pace
from app.db import transaction
from app.db.statements.batches import BatchRow, lock_batch_row
from app.db.statements.rows import row_of
from tests.engine.rig import Message, Rig
from tests.engine.test_claims_amid_cancel import before_statement
from tests.engine.test_long_work import Died, dying_before_the_commit
from workers.engine.plan import lanes
from workers.engine.plan.lane_steps import lane_step
from workers.engine.plan.lanes import find_lanes

STEP = Pace(items=4, seconds=0.0)
# Of one collection, so that an item of either may stand behind one of the other.
MIXED = ("log.one", "log.outside")


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "_STEPS_A_PART", 2)


def _keys(seed: int, count: int = 50) -> list[str | None]:
    rng = random.Random(seed)
    few = rng.choice((3, 10, 40))
    return [rng.choice((None, *(f"k{n}" for n in range(few)))) for _ in range(count)]


def _submitted(rig: Rig, keys: list[str | None], operation: str | None, **options: Any) -> UUID:
    items: list[dict[str, Any]] = [{"uid": n, "key": key} for n, key in enumerate(keys)]
    if operation is None:
        items = [{"operation": MIXED[n % 2], "data": item} for n, item in enumerate(items)]
    batch_id = rig.submit(operation, items, **options)
    rig.messages.clear()
    return batch_id


def _find(rig: Rig, batch_id: UUID, pace: Pace) -> bool:
    with transaction(rig.engine) as connection:
        batch = row_of(BatchRow, connection.execute(lock_batch_row(), {"batch_id": batch_id}))
        assert batch is not None
        return find_lanes(connection, rig.registry, batch, pace)


def _lanes(rig: Rig, batch_id: UUID) -> list[tuple[int | None, bool]]:
    return [(item.lane, item.due_at is not None) for item in rig.items(batch_id)]


@pytest.mark.parametrize("operation", ["log.one", None])
@pytest.mark.parametrize("seed", range(5))
def test_they_are_those_that_one_look_finds(rig: Rig, seed: int, operation: str | None) -> None:
    keys = _keys(seed)
    at_once, in_steps = (_submitted(rig, keys, operation) for _ in range(2))
    assert _find(rig, at_once, Pace(items=1000, seconds=0.0))
    assert not _find(rig, in_steps, STEP)
    assert rig.batch(in_steps).doing_total == 7, "parts of 8 items"
    for _ in range(50):
        if lane_step(rig.runtime, in_steps) is Left.NOTHING:
            break
    expected = [
        (keys.index(key), True) if key is not None and keys.count(key) > 1 else (None, False)
        for key in keys
    ]
    assert _lanes(rig, at_once) == _lanes(rig, in_steps) == expected
    batch = rig.batch(in_steps)
    assert (batch.status, batch.doing) == ("RUNNING", None)
    assert not rig.rows("SELECT 1 FROM lane_chunks WHERE batch_id = :id", id=in_steps)


@pytest.mark.parametrize("operation", ["log.one", "log.bulk", None])
def test_a_batch_runs_as_far_as_they_are_marked(rig: Rig, operation: str | None) -> None:
    keys: list[str | None] = [f"k{n % 30}" for n in range(60)]
    keys[13:15] = [None, "single"]
    batch_id = _submitted(rig, keys, operation)
    rig.runtime.pace = STEP
    ahead = 0
    rig.messages.append(Message(batch_id))
    while rig.messages:
        rig.deliver(rig.messages.pop(0))
        batch = rig.batch(batch_id)
        if batch.doing == "lanes" and batch.status == "RUNNING":
            ended = [item.index for item in rig.items(batch_id) if item.status != "PENDING"]
            assert max(ended, default=0) < batch.doing_index
            ahead += bool(ended)
    rig.run_out(batch_id)
    assert ahead, "it did not wait for all of them"
    assert rig.statuses(batch_id) == ["SUCCESS"] * 60
    assert all(uids == sorted(uids) for uids in rig.effects().values())
    assert sum(map(len, rig.effects().values())) == (60 if operation else 30)


def test_all_are_marked_before_a_retry_begins(rig: Rig) -> None:
    keys: list[str | None] = [f"k{n % 6}" for n in range(24)]
    batch_id = _submitted(rig, keys, "log.one", start="manual")
    rig.act(batch_id, "cancel")
    rig.act(batch_id, "retry", statuses=["CANCELED"])
    rig.messages[:] = [Message(batch_id)]
    rig.runtime.pace = STEP
    while rig.batch(batch_id).status == "PENDING":
        assert not any(message.number for message in rig.messages)
        rig.deliver(rig.messages.pop(0))
    assert [lane for lane, _ in _lanes(rig, batch_id)] == [n % 6 for n in range(24)]
    rig.run_out(batch_id)
    assert all(uids == sorted(uids) for uids in rig.effects().values())


def test_all_are_marked_before_validation_begins(rig: Rig) -> None:
    keys: list[str | None] = [f"k{n % 6}" for n in range(24)]
    batch_id = _submitted(rig, keys, "log.one", on_invalid="reject")
    rig.runtime.pace = STEP
    rig.messages.append(Message(batch_id))
    while rig.batch(batch_id).status == "PENDING":
        rig.deliver(rig.messages.pop(0))
    assert rig.batch(batch_id).doing is None
    rig.run_out(batch_id)
    assert rig.statuses(batch_id) == ["SUCCESS"] * 24
    assert all(uids == sorted(uids) for uids in rig.effects().values())


def test_a_step_that_breaks_off_is_made_again(rig: Rig) -> None:
    keys: list[str | None] = [f"k{n % 12}" for n in range(24)]
    batch_id = _submitted(rig, keys, "log.one")
    assert not _find(rig, batch_id, STEP)
    for _ in range(50):
        before = rig.batch(batch_id)
        with dying_before_the_commit(rig), pytest.raises(Died):
            lane_step(rig.runtime, batch_id)
        assert rig.batch(batch_id) == before
        if lane_step(rig.runtime, batch_id) is Left.NOTHING:
            break
    assert [lane for lane, _ in _lanes(rig, batch_id)] == [n % 12 for n in range(24)]


@pytest.mark.parametrize("steps", [0, 1, 2, 4, 6, 8])
def test_cancel_and_pause_meanwhile(rig: Rig, steps: int) -> None:
    keys: list[str | None] = [f"k{n % 12}" for n in range(24)]
    canceled, paused = (_submitted(rig, keys, "log.one") for _ in range(2))
    for batch_id in (canceled, paused):
        assert not _find(rig, batch_id, STEP)
        for _ in range(steps):
            lane_step(rig.runtime, batch_id)
    rig.act(canceled, "cancel")
    batch = rig.batch(canceled)
    assert (batch.status, batch.canceled, batch.doing) == ("CANCELED", 24, None)
    assert not rig.rows("SELECT 1 FROM lane_chunks WHERE batch_id = :id", id=canceled)
    rig.act(paused, "pause")
    assert lane_step(rig.runtime, paused) is Left.FOR_OTHERS
    rig.messages[:] = [Message(paused)]
    rig.deliver_all()
    rig.time_passes()
    rig.sweep()
    assert Message(paused) not in rig.messages
    assert rig.batch(paused).status == "PAUSED"
    rig.act(paused, "resume")
    rig.runtime.pace = STEP
    rig.run_out(paused)
    assert rig.statuses(paused) == ["SUCCESS"] * 24
    assert all(uids == sorted(uids) for uids in rig.effects().values())


def test_a_part_found_behind_a_cancel_is_not_kept(rig: Rig) -> None:
    """Whoever finds keys holds no lock: the batch may be canceled before it is done."""
    keys: list[str | None] = [f"k{n % 12}" for n in range(24)]
    batch_id = _submitted(rig, keys, "log.one")
    assert not _find(rig, batch_id, STEP)
    with before_statement(rig, "INSERT INTO lane_chunks", lambda: rig.act(batch_id, "cancel")):
        assert lane_step(rig.runtime, batch_id) is Left.FOR_OTHERS
    assert not rig.rows("SELECT 1 FROM lane_chunks WHERE batch_id = :id", id=batch_id)
    assert rig.batch(batch_id).status == "CANCELED"


def test_keys_are_found_by_one_worker_without_a_lock_on_the_batch(rig: Rig) -> None:
    keys: list[str | None] = [f"k{n % 12}" for n in range(24)]
    batch_id = _submitted(rig, keys, "log.one")
    assert not _find(rig, batch_id, STEP)
    seen: list[object] = []

    def another() -> None:
        seen.append(lane_step(rig.runtime, batch_id))
        with rig.engine.begin() as connection:
            locked = connection.execute(lock_batch_row(if_free=True), {"batch_id": batch_id})
            seen.append(locked.one_or_none() is not None)

    with before_statement(rig, "INSERT INTO lane_chunks", another):
        assert lane_step(rig.runtime, batch_id) is Left.MORE
    assert seen == [Left.FOR_OTHERS, True]
