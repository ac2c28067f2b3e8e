"""When a breaker opens, what that costs those under way, and who is told."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from sqlalchemy import Engine, event

from app.batches.breakers.changing import close_by_hand, open_by_hand
from app.core.settings import Settings
from app.db import transaction
from handlers import Registry
from tests.engine.breaking import (
    OF,
    Downstream,
    come_back,
    items,
    registry_with,
    rest_is_over,
    settle_down,
    status,
    waiting_for,
)
from tests.engine.rig import Rig
from tests.engine.test_told_events import listen


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
