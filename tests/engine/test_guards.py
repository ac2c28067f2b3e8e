"""maxFailurePercent: a batch of which too large a share fails is stopped."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from app.batches.guards import Guards, Tally
from handlers import Context, Item, Operation, Registry, Reject
from tests.engine.operations import LoggedSchema
from tests.engine.rig import Rig

OPERATIONS = ["log.one", "log.bulk", "log.outside"]


def _items(failing: set[int], count: int = 60) -> list[dict[str, Any]]:
    return [{"uid": n, "do": "reject" if n in failing else "succeed"} for n in range(count)]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_larger_share_stops_the_rest(rig: Rig, operation: str) -> None:
    batch_id = rig.submit(
        operation, _items({3, 11, 12}), max_failure_percent=Decimal(20), min_processed=10
    )
    rig.run_out(batch_id)
    batch = rig.batch(batch_id)
    # Two of ten items are 20%, and three of 13 are more: it stops within the slice of five.
    assert (batch.status, batch.stop_reason) == ("PARTIAL", "max_failure_percent")
    assert (batch.completed, batch.failed, batch.canceled) == (10, 3, 47)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_equal_is_not_more(rig: Rig, operation: str) -> None:
    batch_id = rig.submit(
        operation,
        _items({1, 3, 5, 7, 9}, count=50),
        max_failure_percent=Decimal(50),
        min_processed=10,
    )
    rig.run_out(batch_id)
    batch = rig.batch(batch_id)
    assert (batch.status, batch.stop_reason, batch.failed) == ("PARTIAL", None, 5)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_nothing_is_looked_at_before_enough_are_processed(rig: Rig, operation: str) -> None:
    """What fails at first stops it once, and not before, so many are processed."""
    failing = set(range(8))
    batch_id = rig.submit(
        operation, _items(failing), max_failure_percent=Decimal(30), min_processed=20
    )
    rig.run_out(batch_id)
    batch = rig.batch(batch_id)
    assert (batch.status, batch.stop_reason) == ("PARTIAL", "max_failure_percent")
    assert (batch.completed, batch.failed, batch.canceled) == (12, 8, 40)


def test_a_hundred_are_processed_unless_said(rig: Rig) -> None:
    batch_id = rig.submit("log.one", _items(set(range(99)), 99), max_failure_percent=Decimal(0))
    rig.run_out(batch_id)
    assert rig.batch(batch_id).stop_reason is None
    batch_id = rig.submit("log.one", _items(set(range(102)), 102), max_failure_percent=Decimal(0))
    rig.run_out(batch_id)
    batch = rig.batch(batch_id)
    assert (batch.stop_reason, batch.failed, batch.canceled) == ("max_failure_percent", 100, 2)


def test_invalid_items_count(rig: Rig) -> None:
    items: list[dict[str, Any]] = [{"uid": n if n % 2 else "none"} for n in range(40)]
    batch_id = rig.submit("log.one", items, max_failure_percent=Decimal("49.9"), min_processed=1)
    rig.run_out(batch_id)
    batch = rig.batch(batch_id)
    assert (batch.stop_reason, batch.canceled > 0) == ("max_failure_percent", True)


def test_slices_that_fail_at_once_are_counted_together(rig: Rig) -> None:
    """Neither of two sees what the other has not committed yet; whoever folds them in does."""
    batch_id = rig.submit(
        "log.one", _items({0, 5}, 30), max_failure_percent=Decimal(10), min_processed=10
    )
    rig.deliver(rig.messages.pop(0))
    for message in rig.messages[:2]:
        rig.deliver(message)
    rig.run("UPDATE batches SET stopping = NULL WHERE id = :id", id=batch_id)
    rig.run("DELETE FROM slices WHERE batch_id = :id AND state = 'READY'", id=batch_id)
    rig.run_out(batch_id)
    batch = rig.batch(batch_id)
    assert (batch.stop_reason, batch.failed, batch.canceled) == ("max_failure_percent", 2, 20)


@pytest.mark.parametrize("bulk", [False, True])
@pytest.mark.parametrize(
    ("guard", "by_itself"),
    [
        ({"max_failure_percent": Decimal(0), "min_processed": 1}, 1),
        ({"max_failures": 2}, 3),
        ({"max_failure_percent": Decimal(50), "min_processed": 4}, 4),
    ],
)
def test_overshoot_is_what_was_under_way(
    rig: Rig, guard: dict[str, Any], by_itself: int, *, bulk: bool
) -> None:
    """Of slices that run at the same time each stops by what it saw as it began.

    None sees what another fails, so each runs as many items as pass the limit by themselves, of
    its five, and not one more: also a bulk handler is called with no more than these. What is
    planned by then, and not claimed, is not begun.
    """
    all_begun = threading.Barrier(4)
    run: list[int] = []

    def fail(items: Sequence[Item], _: Context) -> list[Any]:
        if not begun.is_begun:
            begun.is_begun = True
            all_begun.wait(30)
        run.extend(item.index for item in items)
        return [Reject("no") for _ in items]

    def fail_one(item: Item, context: Context) -> Any:
        [problem] = fail([item], context)
        raise problem

    begun = _OfAThread()
    registry = Registry()
    registry.add(Operation("guarded.fail", fail if bulk else fail_one, LoggedSchema, bulk=bulk))
    rig = Rig(rig.engine, rig.settings, registry, slots=2)
    batch_id = rig.submit("guarded.fail", _items(set(range(60))), **guard)
    rig.deliver(rig.messages.pop(0))
    slices = [message for message in rig.messages if message.number is not None][:4]
    workers = [rig.worker() for _ in slices]
    claims = [rig.claim(*one) for one in zip(slices, workers, strict=True)]
    sizes = [claimed.size for claimed in claims if claimed is not None]
    assert sizes == [5] * 4
    threads = [
        threading.Thread(target=rig.finish, args=one) for one in zip(claims, workers, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    rig.run_out(batch_id)
    batch = rig.batch(batch_id)
    assert batch.stop_reason == next(iter(guard))
    assert len(run) == len(set(run)) == batch.failed == 4 * by_itself
    assert batch.canceled == 60 - batch.failed


class _OfAThread(threading.local):
    is_begun = False


def test_a_retry_counts_anew(rig: Rig) -> None:
    batch_id = rig.submit(
        "log.one", _items({0, 1, 2, 30}), max_failure_percent=Decimal(10), min_processed=10
    )
    rig.run_out(batch_id)
    batch = rig.batch(batch_id)
    assert (batch.stop_reason, batch.completed, batch.failed) == ("max_failure_percent", 7, 3)
    rig.act(batch_id, "retry", statuses=["CANCELED"])
    rig.run_out(batch_id)
    batch = rig.batch(batch_id)
    assert (batch.status, batch.stop_reason, batch.failed) == ("PARTIAL", None, 4)


@pytest.mark.parametrize("failures", range(7))
@pytest.mark.parametrize("processed", range(7, 30, 5))
@pytest.mark.parametrize("percent", ["0", "0.1", "12.5", "50", "99.9", "100"])
def test_room_ends_with_the_item_that_could_pass_the_limit(
    failures: int, processed: int, percent: str
) -> None:
    guards = Guards(max_failures=20, max_failure_percent=Decimal(percent), min_processed=10)
    before = Tally(failures, failures, processed)
    room = guards.room(before)
    assert room is not None
    assert guards.passed(before.with_more(failures=room, successes=0))
    if room > 1:
        assert not guards.passed(before.with_more(failures=room - 1, successes=0))
