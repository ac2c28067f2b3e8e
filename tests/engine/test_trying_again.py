"""Retries, deferrals and the order of items with one key."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.rig import Rig
from workers.engine.retries.backoff import backoff


def test_a_retry_shows_its_last_message_and_holds_up_nobody(rig: Rig) -> None:
    batch_id = rig.submit(
        "test.probe", [{"do": "retry", "times": 1}, {"do": "succeed"}, {"do": "raise"}]
    )
    rig.deliver(rig.messages.pop(0))
    rig.deliver(rig.messages.pop(0))
    waiting, done, raised = rig.items(batch_id)
    assert (waiting.status, waiting.attempts, waiting.code) == ("PENDING", 1, 503)
    assert waiting.message == "try 1 was too early"
    assert waiting.due_at is not None
    assert waiting.started_at is not None
    assert done.status == "SUCCESS"
    assert (raised.status, raised.attempts) == ("PENDING", 1)
    assert raised.message == "ValueError: raised as asked"
    # Nothing is claimed, and nothing is sent over and over, while they wait.
    rig.deliver(rig.messages.pop(0))
    assert not rig.slices(batch_id)
    assert [message.delay > 0 for message in rig.messages] == [True]
    rig.run_out(batch_id)
    waiting, _, raised = rig.items(batch_id)
    assert (waiting.status, waiting.attempts, waiting.code) == ("SUCCESS", 2, None)
    assert (raised.status, raised.attempts, raised.code) == ("FAILED", 3, 500)
    batch = rig.batch(batch_id)
    assert (batch.status, batch.completed, batch.failed) == ("PARTIAL", 2, 1)


def test_backoff_doubles_and_is_capped(rig: Rig) -> None:
    operation = rig.registry.get("test.probe")
    assert operation is not None
    for attempt in range(1, 20):
        longest = min(operation.backoff_cap_seconds, 0.1 * 2 ** (attempt - 1))
        waits = [backoff(operation, attempt) for _ in range(50)]
        assert all(longest / 2 <= wait <= longest for wait in waits)
        assert len(set(waits)) > 1


@pytest.mark.parametrize("operation", ["test.chain", "log.bulk"])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_chain_of_any_depth(rig: Rig, operation: str, backwards: bool) -> None:
    depth = 60
    items: list[dict[str, Any]]
    if operation == "test.chain":
        items = [{"key": f"c{n}", "waits_for": f"c{n - 1}" if n else None} for n in range(depth)]
    else:
        items = [{"uid": n, "waits_for": str(n - 1) if n else None} for n in range(depth)]
    batch_id = rig.submit(operation, reversed(items) if backwards else items)
    rig.run_out(batch_id)
    assert rig.batch(batch_id).status == "SUCCESS"
    assert all(item.attempts == 1 for item in rig.items(batch_id))


def test_what_waits_for_nothing_fails_with_its_message(rig: Rig) -> None:
    items = [{"key": f"c{n}", "waits_for": "missing" if n == 0 else f"c{n - 1}"} for n in range(12)]
    items += [{"key": "x", "waits_for": "y"}, {"key": "y", "waits_for": "x"}, {"key": "z"}]
    batch_id = rig.submit("test.chain", items)
    rig.run_out(batch_id)
    ended = rig.items(batch_id)
    assert [item.status for item in ended] == ["FAILED"] * 14 + ["SUCCESS"]
    assert ended[0].message == "missing is not there"
    assert ended[12].message == "y is not there"
    assert {item.code for item in ended[:14]} == {404}


def test_a_deferred_item_waits_for_one_that_is_retried(rig: Rig) -> None:
    items = [{"uid": 1, "waits_for": "2"}, {"uid": 2, "do": "flaky"}]
    batch_id = rig.submit("log.one", items)
    rig.run_out(batch_id)
    assert rig.statuses(batch_id) == ["SUCCESS", "SUCCESS"]
    assert [item.attempts for item in rig.items(batch_id)] == [1, 3]


def test_waiting_sends_no_message_over_and_over(rig: Rig) -> None:
    batch_id = rig.submit(
        "test.probe",
        [{"key": "k", "do": "retry", "times": 1}, {"key": "k"}, {"key": "k"}, {"key": "other"}],
    )
    for _ in range(6):
        if rig.messages[0].delay:
            break
        rig.deliver(rig.messages.pop(0))
    assert [message.delay > 0 for message in rig.messages] == [True], "sent for a moment to come"
    rig.run_out(batch_id)
    assert rig.statuses(batch_id) == ["SUCCESS"] * 4


@pytest.mark.parametrize("operation", ["test.probe", "test.bulk"])
def test_items_of_one_key_take_effect_in_order(rig: Rig, operation: str) -> None:
    """Also where one of them has to be tried again, or fails."""
    behaviour = ["succeed", "retry", "succeed", "reject", "succeed", "raise", "succeed"]
    items = [{"key": f"k{n % 3}", "do": behaviour[n % 7]} for n in range(70)]
    batch_id = rig.submit("log.one", _logged(items))
    rig.run_out(batch_id)
    for uids in rig.effects().values():
        assert uids == sorted(uids)
    ended = rig.items(batch_id)
    assert {item.status for item in ended} == {"SUCCESS", "FAILED"}
    assert sum(map(len, rig.effects().values())) == rig.batch(batch_id).completed


def _logged(items: list[dict[str, str]]) -> list[dict[str, object]]:
    named = {"raise": "broken"}
    return [
        {"uid": n, "key": item["key"], "do": named.get(item["do"], item["do"])}
        for n, item in enumerate(items)
    ]


def test_one_record_through_several_operations_keeps_its_order(rig: Rig) -> None:
    operations = ["log.one", "log.bulk", "log.outside", "log.crowded"]
    items = [{"operation": operations[n % 4], "data": {"uid": n, "key": "same"}} for n in range(40)]
    batch_id = rig.submit(None, items)
    rig.run_out(batch_id)
    ended = rig.items(batch_id)
    assert {item.status for item in ended} == {"SUCCESS"}
    assert rig.effects()["same"] == [n for n in range(40) if n % 4 != 2]
    finished = [item.finished_at for item in ended]
    assert finished == sorted(finished)


def test_the_same_key_in_different_collections_is_no_order(rig: Rig) -> None:
    items = [{"operation": "catalog.price", "data": _price("P", n)} for n in range(2)] + [
        {
            "operation": "catalog.availability",
            "data": {"product": "P", "store": n, "available": True, "units": 1},
        }
        for n in range(2)
    ]
    batch_id = rig.submit(None, items)
    rig.run_out(batch_id)
    assert rig.batch(batch_id).status == "SUCCESS"
    assert [item.lane for item in rig.items(batch_id)] == [None] * 4


def _price(product: str, store: int) -> dict[str, object]:
    return {"product": product, "store": store, "price": 1, "currency": "EUR"}
