"""An operation is left alone while what it needs is away, and goes on once that is back."""

from __future__ import annotations

import json
import re
import time
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, event

from app.batches.breakers.changing import close_by_hand, open_by_hand
from app.batches.queries import find_batch
from app.core.settings import Settings
from app.db import transaction
from app.db.statements.waiting_for_breakers import WAKE_FOR_PROBES
from handlers import Registry
from tests.engine.breaking import Downstream, registry_with
from tests.engine.rig import Message, Rig
from tests.engine.test_told_events import listen

OF = 4


@pytest.fixture
def downstream() -> Downstream:
    return Downstream()


@pytest.fixture
def rig(
    rig_engine: Engine, rig_settings: Settings, rig_registry: Registry, downstream: Downstream
) -> Rig:
    return Rig(rig_engine, rig_settings, registry_with(downstream, rig_registry, of=OF))


def items(count: int, **data: Any) -> list[dict[str, Any]]:
    return [{"uid": uid, **data} for uid in range(count)]


def breaker(rig: Rig, operation: str) -> Any:
    found = rig.rows("SELECT * FROM breakers WHERE operation = :name", name=operation)
    return found[0] if found else None


def status(rig: Rig, operation: str = "calls.out") -> str:
    found = breaker(rig, operation)
    return "closed" if found is None else str(found.status)


def waiting_for(rig: Rig, batch_id: UUID) -> str | None:
    with rig.engine.connect() as connection:
        return find_batch(connection, rig.client_id, batch_id).waiting_for


def settle_down(rig: Rig, batch_id: UUID) -> None:
    """Deliver what comes, but what is sent for the breaker's next try."""
    for _ in range(500):
        soon = [message for message in rig.messages if message.delay < 0.1]
        if not soon:
            return
        rig.messages.remove(soon[0])
        time.sleep(soon[0].delay)
        rig.deliver(soon[0])
    raise AssertionError(rig.slices(batch_id))


def come_back(rig: Rig, downstream: Downstream) -> None:
    downstream.away = False
    rest_is_over(rig)


def rest_is_over(rig: Rig) -> None:
    rig.run("UPDATE breakers SET probe_at = now() WHERE probe_at IS NOT NULL")


@pytest.mark.parametrize("operation", ["calls.out", "calls.in", "calls.many"])
def test_closed_it_costs_no_statement(rig: Rig, operation: str) -> None:
    seen: list[str] = []

    def see(_c: Any, _u: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    batch_id = rig.submit(operation, items(20))
    event.listen(rig.engine, "before_cursor_execute", see)
    try:
        settle_down(rig, batch_id)
    finally:
        event.remove(rig.engine, "before_cursor_execute", see)
    assert rig.batch(batch_id).status == "SUCCESS"
    of_breakers = [each for each in seen if re.search(r"\bbreakers? |\bbreaker_", each)]
    # Whether anything is open comes with the claim, in the statement that there is anyway.
    assert all("claim" in each for each in of_breakers), of_breakers


def test_it_is_told_once_that_it_opens_and_once_that_it_closes(
    rig: Rig, downstream: Downstream
) -> None:
    """And not of the tries between."""
    listen(rig, ["operation.breaker_opened", "operation.breaker_closed"])
    downstream.away = True
    batch_id = rig.submit("calls.out", items(10))
    settle_down(rig, batch_id)
    rest_is_over(rig)
    rig.sweep()
    settle_down(rig, batch_id)
    come_back(rig, downstream)
    rig.run_out(batch_id)
    rows = rig.rows(
        """SELECT d.event, d.body FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id
           WHERE w.client_id = :client ORDER BY d.id""",
        client=rig.client_id,
    )
    assert [row.event for row in rows] == ["operation.breaker_opened", "operation.breaker_closed"]
    for row in rows:
        assert json.loads(row.body)["data"] == {"operation": "calls.out", "base": None}


@pytest.mark.parametrize("operation", ["calls.out", "calls.in", "calls.many"])
def test_it_opens_and_no_item_loses_more_than_an_attempt(
    rig: Rig, downstream: Downstream, operation: str
) -> None:
    downstream.away = True
    batch_id = rig.submit(operation, items(40))
    settle_down(rig, batch_id)
    assert status(rig, operation) == "open"
    # Those of a call, or of a slice in our database, are under way together.
    under_way = {"calls.out": 0, "calls.in": 5, "calls.many": 5}[operation]
    assert OF <= len(downstream.seen) <= OF + under_way
    assert sum(item.attempts for item in rig.items(batch_id)) == len(downstream.seen)
    assert waiting_for(rig, batch_id) == "breaker"
    # Nothing is under way, and nothing is done about it.
    assert rig.slices(batch_id) == []
    before = len(downstream.seen)
    rig.sweep()
    settle_down(rig, batch_id)
    assert len(downstream.seen) == before

    come_back(rig, downstream)
    rig.run_out(batch_id)
    assert status(rig, operation) == "closed"
    assert rig.batch(batch_id).status == "SUCCESS"


def test_a_failed_try_costs_no_attempt_and_is_one_item(rig: Rig, downstream: Downstream) -> None:
    downstream.away = True
    batch_id = rig.submit("calls.out", items(30))
    settle_down(rig, batch_id)
    attempts = [item.attempts for item in rig.items(batch_id)]
    for _ in range(3):
        before = len(downstream.seen)
        rest_is_over(rig)
        rig.sweep()
        settle_down(rig, batch_id)
        assert len(downstream.seen) == before + 1
        assert status(rig) == "open"
        assert [item.attempts for item in rig.items(batch_id)] == attempts
    assert waiting_for(rig, batch_id) == "breaker"


def test_two_batches_make_one_try(rig: Rig, downstream: Downstream) -> None:
    downstream.away = True
    first = rig.submit("calls.out", items(10))
    settle_down(rig, first)
    second = rig.submit("calls.out", items(10))
    settle_down(rig, second)
    assert waiting_for(rig, second) == "breaker"
    before = len(downstream.seen)
    rest_is_over(rig)
    other = rig.worker()
    for batch_id in (first, second):
        rig.deliver(Message(batch_id))
        rig.deliver(Message(batch_id), other)
    settle_down(rig, first)
    assert len(downstream.seen) == before + 1
    come_back(rig, downstream)
    rig.run_out(first, second)


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


def test_an_item_that_is_wrong_by_itself_closes_it(rig: Rig, downstream: Downstream) -> None:
    downstream.away = True
    batch_id = rig.submit("calls.out", items(10))
    settle_down(rig, batch_id)
    rig.act(batch_id, "pause")
    rest_is_over(rig)
    wrong = rig.submit("calls.out", items(1, do="reject"))
    settle_down(rig, wrong)
    assert rig.batch(wrong).status == "FAILED"
    assert rig.items(wrong)[0].attempts == 1
    assert status(rig) == "closed"


def test_what_went_well_elsewhere_counts(rig: Rig, downstream: Downstream) -> None:
    """Other workers tell with their heartbeats what they did."""
    other = rig.worker()
    rig.run(
        "UPDATE workers SET tries = '{\"calls.out \": 40}' WHERE id = :id",
        id=other.heartbeat.worker_id,
    )
    downstream.away = True
    batch_id = rig.submit("calls.out", items(10))
    rig.run_out(batch_id)
    assert len(downstream.seen) >= 2 * OF
    assert status(rig) == "closed"
    rig.run("UPDATE workers SET tries = NULL WHERE id = :id", id=other.heartbeat.worker_id)
    later = rig.submit("calls.out", items(10))
    settle_down(rig, later)
    assert status(rig) == "open"


def test_failures_of_several_workers_open_it_together(
    rig_engine: Engine, rig_settings: Settings, rig_registry: Registry, downstream: Downstream
) -> None:
    """What one is at when another opens it begins no further item."""
    rig = Rig(rig_engine, rig_settings, registry_with(downstream, rig_registry, of=8))
    downstream.away = True
    downstream.after = 60.0
    batch_id = rig.submit("calls.out", items(10))
    rig.deliver(rig.messages.pop(0))
    slices = [message for message in rig.messages if message.number is not None]
    # Whatever it was cut into: both have claimed before either has tried anything.
    workers = [rig.worker() for _ in slices]
    claimed = [rig.claim(message, worker) for message, worker in zip(slices, workers, strict=True)]
    assert len(claimed) == 2
    for slice_, worker in zip(claimed, workers, strict=True):
        assert slice_ is not None
        rig.finish(slice_, worker)
    assert status(rig) == "open"
    assert len(downstream.seen) == 8, "five of the first, and three of the second"
    assert sum(item.attempts for item in rig.items(batch_id)) == 8


def test_by_hand_it_stays_open_without_tries(rig: Rig, downstream: Downstream) -> None:
    with transaction(rig.engine) as connection:
        assert open_by_hand(connection, "calls.out", "")
        assert not open_by_hand(connection, "calls.out", "")
    batch_id = rig.submit("calls.out", items(20))
    settle_down(rig, batch_id)
    for _ in range(3):
        rig.time_passes()
        rig.sweep()
        settle_down(rig, batch_id)
    assert downstream.seen == []
    assert waiting_for(rig, batch_id) == "breaker"
    with transaction(rig.engine) as connection:
        assert close_by_hand(connection, "calls.out", None)
        assert not close_by_hand(connection, "calls.out", None)
    rig.run_out(batch_id)
    assert rig.batch(batch_id).status == "SUCCESS"


def test_a_worker_that_dies_trying_is_followed_by_another(rig: Rig, downstream: Downstream) -> None:
    downstream.away = True
    batch_id = rig.submit("calls.out", items(10))
    settle_down(rig, batch_id)
    dead = rig.worker()
    rig.run(
        """UPDATE breakers SET status = 'probing', probe_at = NULL, probe_worker = :worker,
               probe_token = gen_random_uuid(), probe_until = now() + interval '1 hour'""",
        worker=dead.heartbeat.worker_id,
    )
    rig.sweep()
    settle_down(rig, batch_id)
    assert status(rig) == "probing"
    dead.heartbeat.die()  # type: ignore[attr-defined]
    come_back(rig, downstream)
    rig.run_out(batch_id)
    assert status(rig) == "closed"


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


def test_an_item_that_always_fails_does_not_keep_it_open(rig: Rig, downstream: Downstream) -> None:
    """Another tries the next time."""
    downstream.away = True
    batch_id = rig.submit("calls.out", items(10))
    settle_down(rig, batch_id)
    downstream.away = False
    downstream.never = 0
    for _ in range(60):  # of ten items one is it: that it is each time, is not to be expected
        rest_is_over(rig)
        rig.sweep()
        settle_down(rig, batch_id)
        if status(rig) == "closed":
            break
    assert status(rig) == "closed"
    downstream.never = None
    rig.run_out(batch_id)


def test_who_has_many_that_wait_does_not_try_for_all(rig: Rig, downstream: Downstream) -> None:
    """Of two clients either is asked, whichever has more batches that wait."""
    downstream.away = True
    first = rig.submit("calls.out", items(10))
    settle_down(rig, first)
    assert status(rig) == "open"
    many = {first} | {rig.submit("calls.out", items(1)) for _ in range(30)}
    other = Rig(rig.engine, rig.settings, rig.registry)
    lonely = other.submit("calls.out", items(1))
    for each, batch_id in [(rig, one) for one in many - {first}] + [(other, lonely)]:
        settle_down(each, batch_id)
    asked = []
    for _ in range(40):
        rest_is_over(rig)
        with rig.engine.begin() as connection:
            [woken] = connection.execute(WAKE_FOR_PROBES).all()
        rig.run("UPDATE batches SET turn_at = NULL")
        asked.append(woken.id)
    assert 5 < asked.count(lonely) < 35, "by chance, and one in two as a rule"
    assert len(set(asked) - {lonely}) > 5


def test_who_asks_for_a_pace_is_given_it_and_is_not_away(rig: Rig, downstream: Downstream) -> None:
    downstream.paced = True
    batch_id = rig.submit("calls.out", items(30))
    settle_down(rig, batch_id)
    other = rig.submit("calls.in", items(1))
    settle_down(rig, other)
    assert len(downstream.seen) == 2, "one was told, and one is of another operation"
    assert status(rig) == "closed"
    assert waiting_for(rig, batch_id) == "breaker"
    later = rig.submit("calls.out", items(30))
    settle_down(rig, later)
    assert len(downstream.seen) == 2
    downstream.paced = False
    rig.run("UPDATE breakers SET paced_until = now() - interval '1 second'")
    rig.run("UPDATE items SET due_at = now() WHERE attempts > 0 AND status = 'PENDING'")
    rig.run_out(batch_id, later)
    assert rig.batch(batch_id).status == "SUCCESS"
