"""What went wrong is grouped while slices are written, and is exact whatever happens then."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event

from app.batches.actions import remove
from app.batches.failures.grouping import count_failures
from app.batches.failures.identity import Identity, identify
from app.batches.failures.kinds import Kinds
from app.batches.failures.reading import list_failures
from app.db import transaction
from app.db.models.failure import MOST_FAILURES
from app.db.statements.failure_lists import FailureRow
from tests.engine.rig import Rig


def failures(rig: Rig, batch_id: UUID, limit: int = 2000) -> list[FailureRow]:
    """Those of the batch, as they are listed, once they are seen to be those of its items."""
    with rig.engine.connect() as connection:
        found = list_failures(connection, rig.client_id, batch_id, limit=limit)
    items = [row for row in rig.items(batch_id) if row.status in ("FAILED", "INVALID")]
    assert Counter(row.failure for row in items) == {row.failure: row.count for row in found}
    for row in found:
        its = [item for item in items if item.failure == row.failure]
        assert (row.first_index, row.last_index) == (its[0].index, its[-1].index)
        assert row.example == its[0].message
    assert all(row.failure is None for row in rig.items(batch_id) if row not in items)
    return found


def shown(rows: list[FailureRow]) -> list[tuple[Any, ...]]:
    return [(row.status, row.code, row.message, row.count) for row in rows]


def one_each(kinds: list[Identity]) -> Kinds:
    """An item of each."""
    return Kinds(kinds, list(range(len(kinds))))


REJECTED = ("FAILED", 418, "rejected as asked", 3)
INVALID = ("INVALID", 422, "uid: Must be a whole number.", 2)
BROKEN = ("FAILED", 500, "RuntimeError: broken as asked", 1)


def mixed(rig: Rig, **options: Any) -> UUID:
    """A batch with three kinds of failure, over several slices."""
    wishes = ["succeed", "reject", None, "reject", "succeed", "broken", "retry", None, "reject"]
    items: list[dict[str, Any]] = [
        {"uid": "x"} if wish is None else {"uid": uid, "do": wish}
        for uid, wish in enumerate(wishes)
    ]
    return rig.submit("log.one", items, **options)


@pytest.mark.parametrize("operation", ["log.one", "log.outside"])
def test_they_are_grouped_by_cause(rig: Rig, operation: str) -> None:
    batch_id = rig.submit(
        operation, [{"uid": n, "do": "reject" if n % 3 else "broken"} for n in range(12)]
    )
    rig.run_out(batch_id)
    assert shown(failures(rig, batch_id)) == [
        ("FAILED", 418, "rejected as asked", 8),
        ("FAILED", 500, "RuntimeError: broken as asked", 4),
    ]


def test_of_several_kinds(rig: Rig) -> None:
    batch_id = mixed(rig)
    rig.run_out(batch_id)
    found = failures(rig, batch_id)
    assert shown(found) == [REJECTED, INVALID, BROKEN]
    assert {row.operation for row in found} == {"log.one"}
    assert [row.failure for row in found[:1]] == [
        identify("log.one", "FAILED", 418, "rejected as asked").id
    ]


def test_of_operations_that_items_name(rig: Rig) -> None:
    items = [
        {"operation": operation, "data": {"uid": n, "do": "reject"}}
        for n, operation in enumerate(["log.one", "log.outside", "log.one", "log.nothing"])
    ]
    batch_id = rig.submit(None, items)
    rig.run_out(batch_id)
    found = {row.operation: row.count for row in failures(rig, batch_id)}
    assert found == {"log.one": 2, "log.outside": 1, "log.nothing": 1}


def test_a_batch_that_is_one_slice(rig: Rig) -> None:
    batch_id = rig.submit("log.one", [{"uid": 1, "do": "reject"}, {"uid": 2}])
    rig.run_out(batch_id)
    assert shown(failures(rig, batch_id)) == [("FAILED", 418, "rejected as asked", 1)]


def test_what_is_retried_leaves_its_failure(rig: Rig) -> None:
    batch_id = mixed(rig)
    rig.run_out(batch_id)
    rig.act(batch_id, "retry", statuses=["INVALID"])
    assert shown(failures(rig, batch_id)) == [REJECTED, BROKEN]
    rig.run_out(batch_id)
    assert shown(failures(rig, batch_id)) == [REJECTED, INVALID, BROKEN]
    rig.act(batch_id, "retry", statuses=["FAILED", "INVALID"])
    assert failures(rig, batch_id) == []
    rig.run_out(batch_id)
    assert shown(failures(rig, batch_id)) == [REJECTED, INVALID, BROKEN]


def test_reset_and_delete_take_them_along(rig: Rig) -> None:
    batch_id = mixed(rig)
    rig.run_out(batch_id)
    rig.act(batch_id, "reset")
    assert failures(rig, batch_id) == []
    other = mixed(rig)
    rig.run_out(other)
    remove(rig.engine, rig.client_id, other)
    left = "SELECT 1 FROM failures WHERE batch_id = ANY(:ids) UNION ALL SELECT 1 FROM "
    left += "failure_counts WHERE batch_id = ANY(:ids)"
    assert rig.rows(left, ids=[batch_id, other]) == []


def test_a_batch_that_is_refused_as_a_whole(rig: Rig) -> None:
    batch_id = mixed(rig, on_invalid="reject")
    rig.run_out(batch_id)
    assert rig.batch(batch_id).status == "FAILED"
    assert shown(failures(rig, batch_id)) == [INVALID]


def test_a_batch_that_is_canceled(rig: Rig) -> None:
    batch_id = mixed(rig)
    rig.deliver(rig.messages.pop(0))
    rig.deliver(rig.messages.pop(0))
    rig.act(batch_id, "cancel")
    rig.run_out(batch_id)
    found = failures(rig, batch_id)
    assert "CANCELED" in rig.statuses(batch_id)
    assert (
        sum(row.count for row in found) == rig.batch(batch_id).failed + rig.batch(batch_id).invalid
    )


def test_a_claim_that_is_lost_counts_nothing(rig: Rig) -> None:
    batch_id = rig.submit("log.one", [{"uid": n, "do": "reject"} for n in range(8)])
    rig.deliver(rig.messages.pop(0))
    zombie = rig.worker()
    claimed = rig.claim(rig.messages[0], zombie)
    assert claimed is not None
    zombie.heartbeat.die()  # type: ignore[attr-defined]
    assert rig.sweep()["claims_taken_over"] == 1
    rig.run_out(batch_id)
    assert not rig.finish(claimed, zombie)
    assert shown(failures(rig, batch_id)) == [("FAILED", 418, "rejected as asked", 8)]


def test_items_that_their_workers_died_of(rig: Rig) -> None:
    batch_id = rig.submit("log.one", [{"uid": n} for n in range(3)])
    for _ in range(100):
        if not rig.under_way(batch_id):
            break
        if not rig.messages:
            rig.time_passes()
            rig.sweep()
            continue
        message = rig.messages.pop(0)
        worker = rig.worker()
        if message.number is None or rig.claim(message, worker) is None:
            rig.deliver(message)
        worker.heartbeat.die()  # type: ignore[attr-defined]
    [found] = failures(rig, batch_id)
    assert (found.code, found.count) == (500, 3)
    assert found.message == "Its worker process died each of the … times it was tried."


def test_items_that_wait_for_nothing(rig: Rig) -> None:
    batch_id = rig.submit("log.one", [{"uid": n, "waits_for": f"{n + 50}"} for n in range(7)])
    rig.run_out(batch_id)
    assert [(row.code, row.count) for row in failures(rig, batch_id)] == [(404, 7)]


def test_beyond_a_thousand_they_are_called_other(rig: Rig) -> None:
    batch_id = rig.submit("log.one", [{"uid": 1}], start="manual")
    words = [
        f"{'a' * (n // 26 % 26 + 1)} {chr(97 + n % 26)} {'b' * (n // 676)}" for n in range(1100)
    ]
    many = [identify("log.one", "FAILED", 500, word) for word in words]
    with transaction(rig.engine) as connection:
        first = count_failures(connection, batch_id, one_each(many[:600]), spread=0)
        second = count_failures(connection, batch_id, one_each(many), spread=1)
    assert first == [each.id for each in many[:600]]
    assert second[:600] == first
    assert Counter(second)["other"] == 1100 - MOST_FAILURES
    assert len(set(second)) == MOST_FAILURES + 1
    rows = rig.rows("SELECT number FROM failures WHERE batch_id = :id", id=batch_id)
    assert sorted(row.number for row in rows) == list(range(MOST_FAILURES))
    with rig.engine.connect() as connection:
        found = list_failures(connection, rig.client_id, batch_id, limit=2000)
    [other] = [row for row in found if row.failure == "other"]
    assert (other.message, other.code, other.operation, other.status, other.count) == (
        "Other failures",
        None,
        None,
        None,
        100,
    )


@pytest.mark.slow
def test_many_at_once_wait_for_no_one_crosswise(rig: Rig) -> None:
    """Writers of the same new failures, each in its own order, near the limit: no deadlock."""
    batch_id = rig.submit("log.one", [{"uid": 1}], start="manual")
    kinds = [identify("log.one", "FAILED", 400 + n, "no") for n in range(MOST_FAILURES + 60)]
    errors: list[BaseException] = []
    begin = threading.Barrier(6)
    written: list[Counter[str]] = []

    def write(number: int) -> None:
        mine: Counter[str] = Counter()
        try:
            begin.wait(10)
            for start in range(0, len(kinds), 212):
                part: list[Identity] = kinds[start : start + 212]
                if number % 2:
                    part = part[::-1]
                with transaction(rig.engine) as connection:
                    mine.update(count_failures(connection, batch_id, one_each(part), spread=number))
        except BaseException as error:
            errors.append(error)
        written.append(mine)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    total = sum(written, Counter())
    rows = rig.rows(
        "SELECT failure, sum(count) AS n FROM failure_counts WHERE batch_id = :id GROUP BY 1",
        id=batch_id,
    )
    assert {row.failure: row.n for row in rows} == total
    assert sum(total.values()) == 6 * len(kinds)
    assert len(total) == MOST_FAILURES + 1


def test_a_slice_without_failures_pays_nothing(rig: Rig) -> None:
    """And one with failures one statement, of whatever kinds: here are four slices of five."""
    wishes = [{"do": "reject"}, {"uid": "x"}, {"do": "sql?"}]
    for items, statements in (
        ([{"uid": n} for n in range(20)], 0),
        ([{"uid": n, **wishes[n % 3]} for n in range(20)], 4),
    ):
        seen: list[str] = []

        def see(_c: Any, _u: Any, statement: str, *_: Any, seen: list[str] = seen) -> None:
            seen.append(statement)

        batch_id = rig.submit("log.one", items)
        event.listen(rig.engine, "before_cursor_execute", see)
        try:
            rig.run_out(batch_id)
        finally:
            event.remove(rig.engine, "before_cursor_execute", see)
        assert sum("INTO failure_counts" in each for each in seen) == statements
        assert sum("[u.kind + 1]" in each and "UPDATE items" in each for each in seen) == statements
