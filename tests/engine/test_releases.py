"""Workers of two releases: each runs what it has, and nothing is INVALID that another could run."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from marshmallow import Schema

from app.batches.submission import Submission, accept
from app.core.errors import Invalid
from app.db import transaction
from app.db.statements.workers import DELETE_WORKERS
from app.formats.raw_item import RawItem
from app.operations.description import describe, stand_in
from app.operations.known import PATIENCE, KnownOperations, Where
from app.operations.publishing import Publisher
from handlers import Context, Item, Operation, Outcome, Registry
from handlers.fields import Reference, WholeNumber
from tests.engine.rig import Message, Rig, SimulatedWorker
from tests.support.stack import wait_for
from workers.engine.runtime import Runtime


class PlainSchema(Schema):
    """A number that is a key."""

    n = WholeNumber(required=True)
    code = Reference()


def _done(item: Item, context: Context) -> Outcome:
    return Outcome({"n": item.data["n"]})


class Releases:
    """Two releases of workers; only the new one has `operation`, which nobody had before."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.operation = Operation(
            f"new.{uuid4().hex}",
            _done,
            PlainSchema,
            key=("n",),
            collection="log",
            queue="slow",
            slice_items=2,
        )
        self.had = Registry()
        for each in rig.registry:
            self.had.add(each)
        self.has = Registry()
        for each in (*rig.registry, self.operation):
            self.has.add(each)
        self.old = rig.worker(self.had)
        self._new: Runtime | None = None

    def start_new(self) -> Runtime:
        """Start a worker of the new release."""
        self._new = self.rig.worker(self.has)
        Publisher(self.rig.engine, self.has).publish()
        return self._new

    def stop_new(self) -> None:
        """Stop it: its row is removed, as at a deploy."""
        assert self._new is not None
        heartbeat = self._new.heartbeat
        assert isinstance(heartbeat, SimulatedWorker)
        heartbeat.set_heartbeat("clock_timestamp()")
        with transaction(self.rig.engine) as connection:
            connection.execute(DELETE_WORKERS, {"ids": [heartbeat.uuid]})

    def seen_by_the_api(self) -> KnownOperations:
        """What an API of the old release knows."""
        return KnownOperations(self.had, self.rig.engine, stale=12)

    def submit(self, items: list[dict[str, Any]], *, operation: str | None = None) -> UUID:
        """A batch that the new API takes in."""
        known = KnownOperations(self.has, self.rig.engine, stale=12)
        accepted = accept(
            self.rig.engine,
            known,
            Submission(self.rig.client_id, operation),
            [RawItem(json.dumps(item)) for item in items],
        )
        self.rig.messages.append(Message(accepted.batch_id))
        return accepted.batch_id

    def item(self, n: int) -> dict[str, Any]:
        """An item that names the new operation."""
        return {"operation": self.operation.name, "data": {"n": n}}


@pytest.fixture
def releases(rig: Rig) -> Iterator[Releases]:
    releases = Releases(rig)
    yield releases
    # What is left would be passed on for ever by the workers of other tests.
    name = releases.operation.name
    rig.run("DELETE FROM batches WHERE client_id = :id", id=rig.client_id)
    rig.run("DELETE FROM workers WHERE :name = ANY(operations)", name=name)
    rig.run("DELETE FROM operations WHERE name = :name", name=name)


def _deliver_all(rig: Rig, *runtimes: Runtime, most: int = 400) -> None:
    """Each message goes to whichever comes first, as they take from one queue."""
    chance = random.Random(7)
    for _ in range(most):
        if not rig.messages:
            return
        rig.deliver(rig.messages.pop(0), chance.choice(runtimes))
    raise AssertionError("messages without end")


def test_a_worker_that_lacks_the_operation_leaves_it_to_one_that_has_it(releases: Releases) -> None:
    rig = releases.rig
    new = releases.start_new()
    batch_id = releases.submit([{"n": n} for n in range(20)], operation=releases.operation.name)
    _deliver_all(rig, releases.old, new)
    assert rig.batch(batch_id).status == "SUCCESS"
    assert {(item.status, item.attempts, item.message) for item in rig.items(batch_id)} == {
        ("SUCCESS", 1, None)
    }


def test_it_passes_the_slice_on_untouched_with_a_growing_pause(releases: Releases) -> None:
    rig = releases.rig
    releases.start_new()
    batch_id = releases.submit([{"n": 1}], operation=releases.operation.name)
    rig.deliver(rig.messages.pop(0), releases.old)
    pauses = []
    for _ in range(6):
        [message] = [each for each in rig.messages if each.number is not None]
        rig.messages.clear()
        rig.deliver(message, releases.old)
        [row] = rig.rows("SELECT * FROM slices WHERE batch_id = :id", id=batch_id)
        assert (row.state, row.claim, row.worker_id) == ("READY", None, None)
        pauses += [each.delay for each in rig.messages if each.number is not None]
    assert 0 < pauses[0] < 0.2
    assert 1.0 <= pauses[-1] <= 3.0
    assert rig.sweep()["slices_sent_again"] == 0
    [item] = rig.items(batch_id)
    assert (item.status, item.attempts, item.due_at) == ("PENDING", 0, None)


def test_the_planner_takes_the_queue_and_the_rest_from_what_was_published(
    releases: Releases,
) -> None:
    rig = releases.rig
    releases.start_new()
    batch_id = releases.submit([{"n": n} for n in range(4)], operation=releases.operation.name)
    rig.deliver(rig.messages.pop(0), releases.old)
    rows = rig.rows("SELECT queue, size FROM slices WHERE batch_id = :id", id=batch_id)
    assert {tuple(row) for row in rows} == {("slow", 2)}


def test_of_a_mixed_batch_only_those_items_wait(releases: Releases) -> None:
    rig = releases.rig
    releases.start_new()
    releases.stop_new()
    items = [{"uid": n, "key": f"m{n}"} if n % 2 else releases.item(n) for n in range(8)]
    batch_id = releases.submit(items, operation="log.one")
    while rig.messages and not all(row.status == "SUCCESS" for row in rig.items(batch_id)[1::2]):
        rig.deliver(rig.messages.pop(0), releases.old)
    assert rig.statuses(batch_id) == ["PENDING", "SUCCESS"] * 4
    waiting = rig.items(batch_id)[0]
    assert (waiting.code, waiting.attempts) == (503, 0)
    assert waiting.message == (
        f"Waits for a worker that has the operation {releases.operation.name!r}."
    )
    new = releases.start_new()
    while rig.batch(batch_id).finished_at is None:
        rig.time_passes()
        rig.sweep()
        _deliver_all(rig, new)
    assert rig.statuses(batch_id) == ["SUCCESS"] * 8
    assert {item.message for item in rig.items(batch_id)} == {None}


def test_who_plans_knows_which_records_are_touched_by_an_operation_that_it_lacks(
    releases: Releases,
) -> None:
    rig = releases.rig
    releases.start_new()
    # One collection for both, so that the same key is the same record.
    items = [{"uid": 1, "key": "7"}, releases.item(7), {"uid": 2, "key": "8"}]
    batch_id = releases.submit(items, operation="log.one")
    assert rig.batch(batch_id).may_repeat
    rig.deliver(rig.messages.pop(0), releases.old)
    assert [item.lane for item in rig.items(batch_id)] == [0, 0, None]


def test_what_waits_for_a_worker_is_bounded_however_large_its_batch_is(releases: Releases) -> None:
    rig = releases.rig
    releases.start_new()
    releases.stop_new()
    batch_id = releases.submit([{"n": n} for n in range(100)], operation=releases.operation.name)
    waiting = []
    for _ in range(12):
        _deliver_once(rig, releases.old)
        rig.messages.append(Message(batch_id))
        waiting.append(len(rig.slices(batch_id)))
    assert 0 < waiting[-1] <= 8, "of fifty"
    new = releases.start_new()
    for _ in range(40):
        if rig.batch(batch_id).finished_at is not None:
            break
        rig.time_passes()
        rig.sweep()
        _deliver_once(rig, new)
    assert rig.statuses(batch_id) == ["SUCCESS"] * 100


def test_an_operation_that_nobody_ever_had_is_invalid_at_once(releases: Releases) -> None:
    rig = releases.rig
    batch_id = releases.rig.submit(
        "log.one", [{"operation": "no.such", "data": {}}, {"uid": 1, "key": "k"}]
    )
    rig.run_out(batch_id, within=20)
    assert rig.statuses(batch_id) == ["INVALID", "SUCCESS"]
    assert rig.items(batch_id)[0].message == "Unknown operation 'no.such'."


@pytest.mark.parametrize("mixed", [False, True])
def test_one_that_nobody_has_any_more_is_invalid_after_five_minutes(
    releases: Releases, mixed: bool
) -> None:
    rig, name = releases.rig, releases.operation.name
    releases.start_new()
    releases.stop_new()
    items = [releases.item(1)] if mixed else [{"n": 1}]
    batch_id = releases.submit(items, operation=None if mixed else name)
    for _ in range(4):
        rig.time_passes()
        rig.sweep()
        _deliver_once(rig, releases.old)
    assert rig.statuses(batch_id) == ["PENDING"]
    ago = "clock_timestamp() - make_interval(secs => :ago)"
    rig.run(
        f"UPDATE operations SET missing_since = {ago}, last_served_at = {ago} WHERE name = :name",
        name=name,
        ago=PATIENCE + 1,
    )
    _run_out(rig, releases.old, batch_id)
    [item] = rig.items(batch_id)
    assert (item.status, item.code, item.attempts) == ("INVALID", 422, 0)
    assert item.message == f"Unknown operation {name!r}: no worker has had it for 300 seconds."


def _deliver_once(rig: Rig, runtime: Runtime) -> None:
    messages, rig.messages = rig.messages, []
    for message in messages:
        rig.deliver(message, runtime)


def test_the_five_minutes_begin_anew_after_a_time_in_which_all_was_down(releases: Releases) -> None:
    rig, name = releases.rig, releases.operation.name
    releases.start_new()
    releases.stop_new()
    known = releases.old.known
    assert known.where(name) is Where.NOBODY
    long_ago = "now() - interval '1 hour'"
    rig.run(
        f"""UPDATE operations SET missing_since = {long_ago}, missing_seen_at = {long_ago},
                                  last_served_at = {long_ago} WHERE name = :name""",
        name=name,
    )
    assert known.where(name) is Where.NOBODY, "an hour without any worker is not its fault"


def test_a_worker_that_does_not_tell_is_given_the_chance(releases: Releases) -> None:
    """One of the release before: what it has is not known."""
    rig = releases.rig
    rig.run(
        """INSERT INTO workers (id, hostname, pid, queue, slots, heartbeat_at)
           VALUES (gen_random_uuid(), 'silent', 1, 'fast', 1, now() + interval '1 day')"""
    )
    try:
        batch_id = rig.submit("log.one", [{"operation": "only.old", "data": {}}])
        rig.deliver(rig.messages.pop(0), releases.old)
        _deliver_once(rig, releases.old)
        assert rig.statuses(batch_id) == ["PENDING"]
        _run_out(rig, releases.old, batch_id)
        assert rig.statuses(batch_id) == ["INVALID"]
    finally:
        rig.run("DELETE FROM workers WHERE hostname = 'silent'")


def test_validation_waits_for_a_worker_that_can(releases: Releases) -> None:
    rig = releases.rig
    releases.start_new()
    batch_id = rig.submit(
        "log.one", [{"uid": 1, "key": "k"}, releases.item(2)], on_invalid="reject"
    )
    rig.deliver(rig.messages.pop(0), releases.old)
    [message] = [each for each in rig.messages if each.number is not None]
    rig.deliver(message, releases.old)
    assert [(row.state, row.phase) for row in rig.slices(batch_id)] == [("READY", "validate")]
    new = releases.start_new()
    _deliver_all(rig, releases.old, new)
    assert rig.statuses(batch_id) == ["SUCCESS", "SUCCESS"]


def test_the_api_takes_what_only_a_live_worker_has(releases: Releases) -> None:
    rig, name = releases.rig, releases.operation.name
    known = KnownOperations(releases.had, rig.engine, stale=12)

    def submit() -> UUID:
        return accept(
            rig.engine,
            known,
            Submission(rig.client_id, name),
            [RawItem('{"n": 7}'), RawItem('{"n": "7"}')],
        ).batch_id

    with pytest.raises(Invalid, match="Unknown operation"):
        submit()
    releases.start_new()
    batch = rig.batch(submit())
    assert batch.may_repeat, "a whole number is one key, however it is written"
    releases.stop_new()
    # What is had is believed for a second, so an item may be taken in that then waits.
    wait_for(lambda: name not in known)
    with pytest.raises(Invalid, match="Unknown operation"):
        submit()


def test_what_a_process_has_itself_costs_no_statement(releases: Releases) -> None:
    known = KnownOperations(releases.had, None, stale=12)  # type: ignore[arg-type]
    assert "log.one" in known
    assert known.get("log.one") is releases.had.get("log.one")
    assert known.where("log.one") is Where.HERE


def test_a_stand_in_is_planned_like_the_operation(rig: Rig) -> None:
    for operation in rig.registry:
        found = stand_in(operation.name, describe(operation))
        assert found is not None
        for field in ("key", "collection", "bulk", "in_database", "queue", "concurrency"):
            assert getattr(found, field) == getattr(operation, field)
        assert found.rate_limit == operation.rate_limit
        assert found.whole_number_keys == operation.whole_number_keys
        assert describe(found) | {"schema": 0} == describe(operation) | {"schema": 0}


def test_what_another_release_says_in_another_way_does_no_harm() -> None:
    assert stand_in("a.b", None) is None
    assert stand_in("a.b", {"queue": "glacial"}) is None
    assert stand_in("a.b", {"news": 1}) is not None


def _run_out(rig: Rig, runtime: Runtime, batch_id: UUID) -> None:
    """Deliver and sweep until the batch has ended."""
    for _ in range(30):
        if rig.batch(batch_id).finished_at is not None:
            return
        rig.time_passes()
        rig.run(
            "UPDATE items SET due_at = now() WHERE batch_id = :id AND due_at IS NOT NULL",
            id=batch_id,
        )
        rig.sweep()
        _deliver_once(rig, runtime)
    raise AssertionError((rig.items(batch_id), rig.slices(batch_id)))
