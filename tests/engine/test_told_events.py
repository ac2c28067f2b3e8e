"""batch.started and batch.paused: told once each time, in the transaction that they happen in."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.batches.ramp import Ramp
from tests.engine.rig import Message, Rig

EVENTS = ["batch.started", "batch.paused", "batch.finished"]


@pytest.fixture
def told(rig: Rig) -> Rig:
    """The rig, whose client has a webhook for all of it."""
    listen(rig)
    return rig


def listen(rig: Rig, events: list[str] = EVENTS) -> None:
    rig.run(
        """INSERT INTO webhooks (id, client_id, url, events, secret)
           VALUES (:id, :client, 'https://example.com', :events, 'whsec_')""",
        id=uuid4(),
        client=rig.client_id,
        events=events,
    )


def events_of(rig: Rig, batch_id: UUID) -> list[tuple[str, str]]:
    """What was told of the batch, in the order in which it was: the event, and its status then."""
    rows = rig.rows(
        "SELECT event, body FROM webhook_deliveries WHERE batch_id = :id ORDER BY id", id=batch_id
    )
    told = []
    for row in rows:
        body = json.loads(row.body)
        assert (body["type"], body["data"]["id"]) == (row.event, str(batch_id))
        if row.event == "batch.started":
            assert body["timestamp"] == body["data"]["startedAt"]
        told.append((row.event.removeprefix("batch."), body["data"]["status"]))
    return told


def _items(count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"uid": n, **more} for n in range(count)]


@pytest.mark.parametrize("turn", [False, True])
@pytest.mark.parametrize("operation", ["log.one", "log.bulk", "log.outside"])
@pytest.mark.parametrize("count", [1, 40])
def test_it_begins_once_and_ends_once(told: Rig, operation: str, count: int, turn: bool) -> None:
    """`turn`: a batch that is one slice then begins with it, without a wave."""
    batch_id = told.submit(operation, _items(count))
    if turn:
        told.messages[:] = [Message(batch_id, turn=True)]
    told.run_out(batch_id)
    assert events_of(told, batch_id) == [("started", "RUNNING"), ("finished", "SUCCESS")]


def test_repeated_keys_are_put_in_order_first(told: Rig) -> None:
    batch_id = told.submit("log.one", _items(30, key="k"))
    told.run_out(batch_id)
    assert events_of(told, batch_id) == [("started", "RUNNING"), ("finished", "SUCCESS")]


def test_so_are_those_of_a_large_batch(told: Rig) -> None:
    told.runtime.pace = type(told.runtime.pace)(items=4, seconds=0.0)
    batch_id = told.submit("log.one", [{"uid": n, "key": f"k{n % 3}"} for n in range(30)])
    told.run_out(batch_id)
    assert events_of(told, batch_id) == [("started", "RUNNING"), ("finished", "SUCCESS")]


def test_a_retry_begins_again(told: Rig) -> None:
    batch_id = told.submit("log.one", [{"uid": 1, "do": "reject"}])
    told.run_out(batch_id)
    told.act(batch_id, "retry")
    told.run_out(batch_id)
    assert events_of(told, batch_id) == 2 * [("started", "RUNNING"), ("finished", "FAILED")]


def test_pauses_are_told_and_what_goes_on_does_not_begin_again(told: Rig) -> None:
    batch_id = told.submit("log.one", _items(20))
    told.act(batch_id, "pause")
    told.act(batch_id, "resume")
    told.deliver(told.messages.pop(0))
    told.act(batch_id, "pause")
    told.deliver_all()
    told.act(batch_id, "resume")
    told.run_out(batch_id)
    assert events_of(told, batch_id) == [
        ("paused", "PAUSED"),
        ("started", "RUNNING"),
        ("paused", "PAUSED"),
        ("finished", "SUCCESS"),
    ]


@pytest.mark.parametrize(
    ("ramp", "does", "why"),
    [
        (Ramp((4,), "approve", Decimal(100)), "succeed", None),
        (Ramp((4,), "auto"), "reject", "ramp"),
    ],
    ids=["each step is looked at", "too much of one failed"],
)
def test_a_step_of_a_ramp_that_holds_it_is_a_pause(
    told: Rig, ramp: Ramp, does: str, why: str | None
) -> None:
    batch_id = told.submit("log.one", _items(10, do=does), ramp=ramp)
    told.run_until(lambda batch: batch.ramp_held, batch_id)
    told.deliver_all()
    assert events_of(told, batch_id) == [("started", "RUNNING"), ("paused", "PAUSED")]
    [body] = told.rows(
        "SELECT body FROM webhook_deliveries WHERE batch_id = :id AND event = 'batch.paused'",
        id=batch_id,
    )[0]
    assert json.loads(body)["data"]["stopReason"] == why


@pytest.mark.parametrize("count", [1, 20])
def test_nothing_begins_before_it_is_approved(told: Rig, count: int) -> None:
    batch_id = told.submit("log.one", _items(count), approval=True)
    told.deliver_all()
    assert events_of(told, batch_id) == []
    told.act(batch_id, "approve")
    told.run_out(batch_id)
    assert events_of(told, batch_id) == [("started", "RUNNING"), ("finished", "SUCCESS")]


def test_what_is_canceled_before_it_begins_has_not_begun(told: Rig) -> None:
    batch_id = told.submit("log.one", _items(20))
    told.act(batch_id, "cancel")
    told.run_out(batch_id)
    assert events_of(told, batch_id) == [("finished", "CANCELED")]


def test_whoever_did_not_ask_is_told_nothing(rig: Rig) -> None:
    listen(rig, ["batch.finished"])
    batch_id = rig.submit("log.one", _items(20))
    rig.act(batch_id, "pause")
    rig.act(batch_id, "resume")
    rig.run_out(batch_id)
    assert events_of(rig, batch_id) == [("finished", "SUCCESS")]
