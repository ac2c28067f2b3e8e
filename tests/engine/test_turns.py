"""Whose turn it is, what is run at once, and how much may be under way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, text

from app.core import lifecycle
from app.core.settings import Settings
from app.db.statements.slices import FoldedSlice
from handlers import Registry
from tests.conftest import engine_of_its_own
from tests.engine.rig import Message, Rig
from workers.engine.claim.claims import ClaimedSlice, LostClaim
from workers.engine.plan.advance import advance
from workers.engine.plan.room import most_of_client
from workers.engine.plan.waves import tried_in_vain
from workers.engine.run.run_slice import run_claimed
from workers.engine.run.turns import move_on, refill
from workers.engine.runtime import Runtime

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def line_engine(postgres_url: str) -> Iterator[Engine]:
    """A database in whose line nothing stands that another test has left there."""
    with engine_of_its_own(postgres_url) as engine:
        yield engine


@pytest.fixture
def line(line_engine: Engine, rig_settings: Settings, rig_registry: Registry) -> Rig:
    """A client alone, with one worker."""
    with line_engine.begin() as connection:
        connection.execute(text("TRUNCATE clients, workers, operation_costs CASCADE"))
    return Rig(line_engine, rig_settings, rig_registry)


def test_a_batch_that_is_one_slice_takes_no_message_but_the_first(line: Rig) -> None:
    batch_id = line.submit("log.bulk", [{"uid": uid, "key": f"k{uid}"} for uid in range(5)])
    line.messages.clear()
    move_on(line.runtime, batch_id)
    assert line.batch(batch_id).status == lifecycle.SUCCESS
    assert (line.batch(batch_id).completed, line.slices(batch_id)) == (5, [])
    assert line.messages == []
    assert sorted(line.effects().values()) == [[uid] for uid in range(5)]


@pytest.mark.parametrize("operation", ["log.one", "log.bulk", "log.outside"])
@pytest.mark.parametrize(
    ("does", "status", "counts"),
    [
        (["succeed", "reject"], lifecycle.PARTIAL, (1, 1, 0)),
        (["reject", "reject"], lifecycle.FAILED, (0, 2, 0)),
        (["succeed", None], lifecycle.PARTIAL, (1, 0, 1)),
        (["retry", "succeed"], lifecycle.SUCCESS, (2, 0, 0)),
        (["broken", "succeed"], lifecycle.PARTIAL, (1, 1, 0)),
    ],
)
def test_it_ends_as_any_other(
    line: Rig,
    operation: str,
    does: list[str | None],
    status: str,
    counts: tuple[int, int, int],
) -> None:
    items = [{"uid": uid, "do": do} if do else {"do": "?"} for uid, do in enumerate(does)]
    batch_id = line.submit(operation, items)
    line.messages[:] = [Message(batch_id, turn=True)]
    line.run_out(batch_id)
    batch = line.batch(batch_id)
    assert (batch.status, (batch.completed, batch.failed, batch.invalid)) == (status, counts)


def test_it_waits_behind_an_item_of_its_key_that_is_tried_again(line: Rig) -> None:
    """Its keys repeat: they are in lanes, though there is one slice."""
    batch_id = line.submit(
        "log.one",
        [{"uid": 0, "key": "k", "do": "retry"}, {"uid": 1, "key": "k"}, {"uid": 2, "key": "o"}],
    )
    line.messages[:] = [Message(batch_id, turn=True)]
    line.run_out(batch_id)
    assert line.effects()["k"] == [0, 1]


def test_what_is_canceled_while_it_runs_is_canceled(line: Rig) -> None:
    """The end of the slice must not end the batch as if nobody had asked for anything."""
    batch_id = line.submit("log.one", [{"uid": 0}, {"uid": 1, "do": "retry"}])
    move_on(line.runtime, batch_id)  # its second item waits
    line.act(batch_id, "cancel")
    line.run_out(batch_id)
    assert line.batch(batch_id).status == lifecycle.CANCELED
    assert line.statuses(batch_id) == ["SUCCESS", "CANCELED"]


def test_every_client_has_its_turn(line: Rig) -> None:
    """One with a hundred batches in line delays another's by a round, not by all of them."""
    many = [line.submit("log.bulk", [{"uid": uid}]) for uid in range(100)]
    other = Rig(line.engine, line.settings, line.registry)
    few = [other.submit("log.bulk", [{"uid": uid}]) for uid in range(1000, 1002)]
    move_on(line.runtime, many[0])
    move_on(line.runtime, many[1])  # it goes on for a second at most
    ends = line.rows("SELECT id FROM batches WHERE finished_at IS NOT NULL ORDER BY finished_at")
    order = [row.id for row in ends]
    assert all(order.index(batch_id) < 16 for batch_id in few)
    line.run_out(*many, *few)


def test_a_batch_that_cannot_be_moved_on_keeps_nobody_from_it(
    line: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = line.submit("log.bulk", [{"uid": uid} for uid in range(30)])
    fine = [line.submit("log.bulk", [{"uid": uid}]) for uid in range(100, 110)]

    def advance_but_one(runtime: object, batch_id: UUID, **options: object) -> str | None:
        if batch_id == broken:
            raise RuntimeError("cannot be planned")
        return advance(runtime, batch_id, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("workers.engine.run.turns.advance", advance_but_one)
    for batch_id in fine:
        move_on(line.runtime, batch_id)
    assert {line.batch(batch_id).status for batch_id in fine} == {lifecycle.SUCCESS}
    assert line.batch(broken).status == lifecycle.PENDING


def test_slices_under_way_are_twice_the_slots_over_all_batches(line: Rig) -> None:
    batches = [
        line.submit("log.bulk", [{"uid": 100 * n + uid} for uid in range(100)]) for n in range(6)
    ]
    line.messages.clear()
    line.worker()  # a second slot
    for batch_id in batches:
        move_on(line.runtime, batch_id)
    assert _under_way(line) == 4
    for _ in range(3):
        slices = [message for message in line.messages if message.number is not None]
        line.messages.clear()
        for message in slices:
            line.deliver(message)
            refill(line.runtime, "fast")
            assert _under_way(line) <= 4
    began = [batch_id for batch_id in batches if line.slices(batch_id)]
    assert len(began) >= 3, "each in its turn"
    line.run_out(*batches)


def test_what_waits_in_line_is_planned_as_slices_end(line: Rig) -> None:
    """No message of the batch is needed, nor its chord's callback."""
    batch_id = line.submit("log.bulk", [{"uid": uid} for uid in range(40)])
    line.deliver(line.messages.pop(0))
    for _ in range(50):
        slices = [message for message in line.messages if message.number is not None]
        line.messages.clear()
        for message in slices:
            line.deliver(message)
            refill(line.runtime, "fast")
    assert set(line.statuses(batch_id)) == {"SUCCESS"}


def test_a_slice_that_takes_long_holds_up_no_other_item_of_its_batch(line: Rig) -> None:
    """Nor what has to be tried again."""
    line.worker()
    items = [{"uid": uid, "do": "retry" if uid in (7, 30) else "succeed"} for uid in range(40)]
    batch_id = line.submit("log.one", items)
    line.deliver(line.messages.pop(0))
    hung = line.worker()
    claimed = line.claim(line.messages.pop(0), hung)
    assert claimed is not None
    for _ in range(100):
        slices = [message for message in line.messages if message.number is not None]
        line.messages.clear()
        for message in slices:
            line.deliver(message)
        line.run("UPDATE items SET due_at = now() - interval '1 s' WHERE due_at > now()")
        line.run("UPDATE batches SET due_at = now() - interval '1 s' WHERE due_at > now()")
        line.sweep()
        refill(line.runtime, "fast")
        if line.statuses(batch_id).count("SUCCESS") == 35:
            break
    held = set(range(claimed.first_index, claimed.last_index + 1))
    assert {i for i, status in enumerate(line.statuses(batch_id)) if status == "PENDING"} == held
    assert line.finish(claimed, hung)
    line.run_out(batch_id)
    assert line.batch(batch_id).status == lifecycle.SUCCESS
    assert all(len(uids) == 1 for uids in line.effects().values())


def test_an_item_that_waits_for_a_later_one_does_not_take_the_only_room(line: Rig) -> None:
    other = line.submit("log.one", [{"uid": uid} for uid in range(100, 120)])
    advance(line.runtime, other)
    run, _ = [message for message in line.messages if message.number is not None]
    line.deliver(run)
    assert [row.state for row in line.slices(other)] == ["DONE", "READY"], "there is room for one"
    line.messages.clear()
    items: list[dict[str, Any]] = [{"uid": uid} for uid in range(10)]
    items[0]["waits_for"] = "9"
    batch_id = line.submit("log.one", items)
    line.deliver_all(most=60)
    assert line.batch(batch_id).status == lifecycle.SUCCESS


def test_one_client_does_not_take_all_slots_of_the_slow(line: Rig) -> None:
    line.run("UPDATE workers SET queue = 'slow', slots = 16")
    line.runtime.line = "slow"
    hog = line.submit("test.slow", [{"key": f"k{n}"} for n in range(200)])
    move_on(line.runtime, hog)
    assert _under_way(line) == most_of_client(16) == 14
    for message in list(line.messages):
        if message.number is not None:
            assert line.claim(message, line.runtime) is not None
    other = Rig(line.engine, line.settings, line.registry)
    other.runtime.line = "slow"
    probe = other.submit("test.slow", [{"key": "probe"}])
    move_on(other.runtime, probe)
    assert other.batch(probe).status == lifecycle.SUCCESS


def test_who_finds_the_batch_locked_leaves_and_comes_again(line: Rig) -> None:
    batch_id = line.submit("log.bulk", [{"uid": uid} for uid in range(30)])
    line.messages.clear()
    with line.engine.begin() as locking:
        locking.execute(text("SELECT FROM batches WHERE id = :id FOR UPDATE"), {"id": batch_id})
        advance(line.runtime, batch_id)
        assert line.messages == [Message(batch_id, delay=0.5)]
        move_on(line.runtime, batch_id)
    line.run_out(batch_id)


def test_the_sweep_sends_no_more_messages_than_there_are_free_slots(line: Rig) -> None:
    for uid in range(50):
        line.submit("log.bulk", [{"uid": uid}])
    line.messages.clear()
    line.time_passes()
    for _ in range(5):
        line.sweep()
    assert len(line.messages) == 5, "a slot, and a message a sweep, as the queue is empty"
    line.messages.clear()
    line.runtime.queue_depth = lambda _: 1
    for _ in range(5):
        line.sweep()
    assert line.messages == []


def test_due_schedules_begin_at_once_with_a_few_messages(line: Rig) -> None:
    batches = [line.submit("log.bulk", [{"uid": uid}], start="manual") for uid in range(300)]
    line.run(
        "UPDATE batches SET status = 'SCHEDULED', scheduled_at = now() WHERE id = ANY(:ids)",
        ids=batches,
    )
    line.messages.clear()
    line.sweep()
    assert 1 <= len(line.messages) <= 2
    line.run_out(*batches)
    assert {line.batch(batch_id).status for batch_id in batches} == {lifecycle.SUCCESS}


def test_a_due_schedule_begins_though_all_workers_are_at_work(line: Rig) -> None:
    """Another process plans it; its slices wait."""
    long = line.submit("log.bulk", [{"uid": uid} for uid in range(30)])
    line.deliver(line.messages.pop(0))
    claimed = line.claim(line.messages.pop(0), line.runtime)
    assert claimed is not None
    batch_id = line.submit("log.bulk", [{"uid": 100}], start="manual")
    line.run(
        "UPDATE batches SET status = 'SCHEDULED', scheduled_at = now() WHERE id = :id", id=batch_id
    )
    line.messages.clear()
    line.sweep()
    assert Message(batch_id) in line.messages
    assert line.finish(claimed, line.runtime)
    line.run_out(long, batch_id)


def test_what_was_begun_together_is_given_back_if_the_first_takes_long(
    line: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.engine.run.turns._PATIENCE", 0.0)
    line.runtime.costs.note("log.bulk", items=1, seconds=0.001)
    line.runtime.costs.write(line.engine)
    batches = [line.submit("log.bulk", [{"uid": uid}]) for uid in range(8)]
    line.messages.clear()
    move_on(line.runtime, batches[0])
    statuses = [line.batch(batch_id).status for batch_id in batches]
    assert statuses.count(lifecycle.RUNNING) >= 1
    assert all(message.number == 0 for message in line.messages if message.number is not None)
    line.run_out(*batches)
    assert all(len(uids) == 1 for uids in line.effects().values())


def test_one_whose_claim_is_lost_keeps_none_of_the_others_from_being_run(
    line: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.runtime.costs.note("log.bulk", items=1, seconds=0.001)
    line.runtime.costs.write(line.engine)
    batches = [line.submit("log.bulk", [{"uid": uid}]) for uid in range(4)]

    def run_all_but_one(runtime: Runtime, claimed: ClaimedSlice) -> bool:
        if claimed.batch_id == batches[0]:
            raise LostClaim
        return run_claimed(runtime, claimed)

    monkeypatch.setattr("workers.engine.run.turns.run_claimed", run_all_but_one)
    move_on(line.runtime, batches[0])
    ended = [line.batch(batch_id).status for batch_id in batches[1:]]
    assert ended == [lifecycle.SUCCESS] * 3


def test_begun_together_and_killed_they_are_all_run_again(
    line: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.runtime.costs.note("log.bulk", items=1, seconds=0.001)
    line.runtime.costs.write(line.engine)
    batches = [line.submit("log.bulk", [{"uid": uid}]) for uid in range(4)]
    dead = line.worker()

    class Killed(BaseException):
        """What a kill looks like from inside: nothing is given back."""

    monkeypatch.setattr(dead.heartbeat, "give_back", lambda _: None)
    monkeypatch.setattr("workers.engine.run.turns.run_claimed", _raise(Killed))
    with pytest.raises(Killed):
        move_on(dead, batches[0])
    assert _under_way(line) == 4
    monkeypatch.undo()
    dead.heartbeat.die()  # type: ignore[attr-defined]
    line.run_out(*batches)
    assert {line.batch(batch_id).status for batch_id in batches} == {lifecycle.SUCCESS}


def _raise(error: type[BaseException]) -> object:
    def raising(*_: object, **__: object) -> None:
        raise error

    return raising


def _under_way(rig: Rig) -> int:
    return int(rig.rows("SELECT count(*) FROM slices WHERE state <> 'DONE'")[0][0])


@pytest.mark.parametrize(
    ("before", "progress", "slices", "items"),
    [
        (0, None, [(0, 1, 0)], 10),  # the first, and in vain
        (5, None, [(0, 1, 3)], 0),  # one that brought something
        (5, 0.5, [(1, 1, 0)], 15),  # begun after the last that did
        (5, 1.5, [(1, 1, 0)], 5),  # begun before it: not in vain for what it did not see
        (5, 0.5, [(1, 1, 2), (1.5, 1, 0)], 0),  # begun before the other ended
        (5, 0.5, [(1, 1, 2), (2.5, 1, 0)], 10),
    ],
)
def test_what_was_tried_since_the_last_item_ended(
    before: int, progress: float | None, slices: list[tuple[float, float, int]], items: int
) -> None:
    done = [
        FoldedSlice("run", "op", ended, 0, 0, 10, seconds, NOW + timedelta(seconds=began))
        for began, seconds, ended in slices
    ]
    at = None if progress is None else NOW + timedelta(seconds=progress)
    assert tried_in_vain(before, at, done).items == items
