"""Which batches are said to wait for a worker, whatever else they wait for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, event

from app.batches.breakers.changing import open_by_hand
from app.batches.queries import find_batch
from app.batches.ramp import Ramp
from app.batches.waiting import as_it_waits
from app.core.settings import Settings
from app.db import transaction
from app.operations.known import KnownOperations
from app.operations.publishing import Publisher
from handlers import Registry
from tests.engine.rig import Rig, SimulatedWorker

LATER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def rig(rig_engine: Engine, rig_settings: Settings, rig_registry: Registry) -> Rig:
    """One whose worker is the only one that lives."""
    rig = Rig(rig_engine, rig_settings, rig_registry, slots=4)
    Publisher(rig.engine, rig.registry).publish()
    return rig


def waits_for(rig: Rig, batch_id: UUID) -> str | None:
    """By an API that has just looked."""
    known = KnownOperations(rig.registry, rig.engine, stale=12)
    with rig.engine.connect() as connection:
        batch = find_batch(connection, rig.client_id, batch_id)
    return as_it_waits(batch, known).waiting_for


def lives(rig: Rig, *operations: str) -> None:
    """The rig's worker has these from now on; it has died where there are none."""
    worker = rig.runtime.heartbeat
    assert isinstance(worker, SimulatedWorker)
    worker.has = list(operations)
    worker.set_heartbeat("now() + interval '1 day'")
    if not operations:
        worker.die()


def of_both(count: int = 6) -> list[dict[str, Any]]:
    return [
        {"operation": ("log.one", "log.outside")[uid % 2], "data": {"uid": uid}}
        for uid in range(count)
    ]


def test_as_long_as_no_live_one_has_its_operation(rig: Rig) -> None:
    batch_id = rig.submit("log.one", [{"uid": 1}])
    assert waits_for(rig, batch_id) is None
    lives(rig, "log.outside")
    assert waits_for(rig, batch_id) == "worker"
    lives(rig)
    assert waits_for(rig, batch_id) == "worker"
    lives(rig, "log.one")
    assert waits_for(rig, batch_id) is None
    rig.run_out(batch_id)
    lives(rig)
    assert waits_for(rig, batch_id) is None, "it has ended"


def test_one_that_does_not_take_from_its_queue_is_none(rig: Rig) -> None:
    batch_id = rig.submit("log.one", [{"uid": 1}])
    rig.run(
        "UPDATE workers SET queues = '{slow}' WHERE id = :id", id=rig.runtime.heartbeat.worker_id
    )
    assert waits_for(rig, batch_id) == "worker"
    rig.run(
        "UPDATE workers SET queues = '{slow,fast}' WHERE id = :id",
        id=rig.runtime.heartbeat.worker_id,
    )
    assert waits_for(rig, batch_id) is None


def test_where_one_does_not_tell_what_it_has_nothing_is_said(rig: Rig) -> None:
    batch_id = rig.submit("log.one", [{"uid": 1}])
    lives(rig)
    rig.run(
        """INSERT INTO workers (id, hostname, pid, queue, slots)
           VALUES (gen_random_uuid(), 'silent', 1, 'fast', 1)"""
    )
    assert waits_for(rig, batch_id) is None


def test_what_is_under_way_at_a_dead_one_waits_too(rig: Rig) -> None:
    batch_id = rig.submit("log.one", [{"uid": n} for n in range(20)])
    rig.deliver(rig.messages.pop(0))
    assert rig.claim(rig.messages.pop(0), rig.runtime)
    lives(rig)
    assert waits_for(rig, batch_id) == "worker"


def test_of_several_operations_all_that_are_left(rig: Rig) -> None:
    batch_id = rig.submit(None, of_both())
    lives(rig)
    assert waits_for(rig, batch_id) == "worker", "nobody takes up anything"
    lives(rig, "log.one")
    assert waits_for(rig, batch_id) is None, "some of it can run"
    rig.deliver(rig.messages.pop(0))
    for operation, waits in (("log.one", None), ("log.outside", "worker")):
        # What is left are slices of either.
        rig.run(
            "UPDATE slices SET state = 'DONE' WHERE batch_id = :id AND operation <> :operation",
            id=batch_id,
            operation=operation,
        )
        assert rig.rows("SELECT FROM slices WHERE state = 'READY' AND batch_id = :id", id=batch_id)
        assert waits_for(rig, batch_id) == waits
        rig.run("UPDATE slices SET state = 'READY' WHERE batch_id = :id", id=batch_id)


def test_before_a_breaker_and_a_retry(rig: Rig) -> None:
    """Neither is over without a worker, however soon it could be."""
    with transaction(rig.engine) as connection:
        open_by_hand(connection, "log.outside", "")
    breaker = rig.submit("log.outside", [{"uid": 1}])
    rig.deliver_all()
    retry = rig.submit("log.one", [{"uid": 2}])
    rig.run(
        "UPDATE batches SET status = 'RUNNING', due_at = :later WHERE id = :id",
        later=LATER,
        id=retry,
    )
    assert (waits_for(rig, breaker), waits_for(rig, retry)) == ("breaker", "retry")
    lives(rig)
    assert (waits_for(rig, breaker), waits_for(rig, retry)) == ("worker", "worker")


def test_a_breaker_before_a_retry(rig: Rig) -> None:
    """Of a batch of several operations some wait for it, and one is tried again before that."""
    with transaction(rig.engine) as connection:
        open_by_hand(connection, "log.outside", "")
    batch_id = rig.submit(None, of_both())
    rig.deliver_all()
    assert waits_for(rig, batch_id) == "breaker"
    # As it is noted of the one that is due first.
    rig.run("UPDATE batches SET due_at = :later WHERE id = :id", later=LATER, id=batch_id)
    assert waits_for(rig, batch_id) == "breaker"
    rig.run("UPDATE batches SET held = NULL WHERE id = :id", id=batch_id)
    assert waits_for(rig, batch_id) == "retry"


def test_behind_what_people_decide(rig: Rig) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    open_ = rig.submit("log.one", [{"uid": 1}], start="manual")
    scheduled = rig.submit("log.one", [{"uid": 2}], scheduled_at=soon)
    awaiting = rig.submit("log.one", [{"uid": 3}], approval=True)
    ramped = rig.submit(
        "log.one", [{"uid": n} for n in range(4, 9)], ramp=Ramp((1,), "approve", Decimal(100))
    )
    rig.run_until(lambda batch: batch.ramp_held, ramped)
    rig.deliver_all()
    paused = rig.submit("log.one", [{"uid": 9}])
    rig.act(paused, "pause")
    canceled = rig.submit("log.one", [{"uid": n} for n in range(20, 40)])
    rig.deliver(next(each for each in rig.messages if each.batch_id == canceled))
    assert rig.claim(next(each for each in rig.messages if each.number is not None), rig.worker())
    rig.act(canceled, "cancel")
    rig.run("DELETE FROM workers WHERE id <> :id", id=rig.runtime.heartbeat.worker_id)
    lives(rig)
    said = [waits_for(rig, each) for each in (open_, scheduled, awaiting, ramped, paused, canceled)]
    assert said == [None, "schedule", "approval", "ramp", None, None]


def test_a_hundred_batches_cost_one_look_a_second(rig: Rig) -> None:
    lives(rig)
    batches = [rig.submit("log.one", [{"uid": n}]) for n in range(100)]
    known = KnownOperations(rig.registry, rig.engine, stale=12)
    with rig.engine.connect() as connection:
        found = [find_batch(connection, rig.client_id, batch_id) for batch_id in batches]
    seen: list[str] = []

    def note(*arguments: Any) -> None:
        seen.append(arguments[2])

    event.listen(rig.engine, "after_cursor_execute", note)
    try:
        assert {as_it_waits(batch, known).waiting_for for batch in found} == {"worker"}
    finally:
        event.remove(rig.engine, "after_cursor_execute", note)
    # More only where a hundred take longer than a second.
    assert len(seen) == 1
