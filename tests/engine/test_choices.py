"""What a caller may choose: onInvalid, maxFailures, dryRun, mixed operations, a schedule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.engine.rig import Rig


def test_reject_runs_nothing_if_one_item_is_invalid(rig: Rig) -> None:
    items: list[dict[str, object]] = [{"uid": n} for n in range(30)]
    items[17] = {"uid": "no number"}
    batch_id = rig.submit("log.one", items, on_invalid="reject")
    rig.run_out(batch_id)
    statuses = rig.statuses(batch_id)
    assert statuses.pop(17) == "INVALID"
    assert set(statuses) == {"CANCELED"}
    batch = rig.batch(batch_id)
    assert (batch.status, batch.stop_reason, batch.invalid) == ("FAILED", None, 1)
    assert rig.effects() == {}


def test_reject_runs_all_if_all_are_valid(rig: Rig) -> None:
    items = [{"uid": n, "key": "k" if n % 5 == 0 else None} for n in range(30)]
    batch_id = rig.submit("log.one", items, on_invalid="reject")
    rig.run_out(batch_id)
    assert rig.batch(batch_id).status == "SUCCESS"
    assert rig.effects()["k"] == [0, 5, 10, 15, 20, 25]


@pytest.mark.parametrize("operation", ["log.one", "log.bulk", "log.outside"])
def test_max_failures_stops_the_rest(rig: Rig, operation: str) -> None:
    items = [{"uid": n, "do": "reject" if n < 6 else "succeed"} for n in range(60)]
    batch_id = rig.submit(operation, items, max_failures=3)
    rig.run_out(batch_id)
    batch = rig.batch(batch_id)
    # A slice of five: it stops with the fourth failure.
    assert (batch.status, batch.stop_reason) == ("FAILED", "max_failures")
    assert (batch.completed, batch.failed, batch.canceled) == (0, 4, 56)


def test_max_failures_that_is_not_passed_stops_nothing(rig: Rig) -> None:
    items = [{"uid": n, "do": "reject" if n < 3 else "succeed"} for n in range(30)]
    batch_id = rig.submit("log.one", items, max_failures=3)
    rig.run_out(batch_id)
    batch = rig.batch(batch_id)
    assert (batch.status, batch.stop_reason, batch.failed) == ("PARTIAL", None, 3)


def test_slices_that_fail_at_once_are_counted_together(rig: Rig) -> None:
    """Neither of two sees what the other has not committed yet; whoever folds them in does."""
    items = [{"uid": n, "do": "reject" if n in (0, 5) else "succeed"} for n in range(30)]
    batch_id = rig.submit("log.one", items, max_failures=1)
    rig.deliver(rig.messages.pop(0))
    for message in rig.messages[:2]:
        rig.deliver(message)
    rig.run("UPDATE batches SET stopping = NULL WHERE id = :id", id=batch_id)
    rig.run("DELETE FROM slices WHERE batch_id = :id AND state = 'READY'", id=batch_id)
    rig.run_out(batch_id)
    batch = rig.batch(batch_id)
    assert (batch.stop_reason, batch.failed, batch.canceled) == ("max_failures", 2, 24)


def test_dry_run_has_no_effect(rig: Rig) -> None:
    catalog = [{"asin": f"A{n}", "countryCode": "US", "percACoS": 1} for n in range(20)]
    for operation, items in {
        "catalog.masterlist": catalog,
        "log.one": [{"uid": n, "do": "broken"} for n in range(20)],
        "log.outside": [{"uid": n, "do": "broken"} for n in range(20)],
    }.items():
        batch_id = rig.submit(operation, [*items, {"nonsense": 1}], dry_run=True)
        rig.run_out(batch_id)
        batch = rig.batch(batch_id)
        assert (batch.status, batch.completed, batch.invalid) == ("PARTIAL", 20, 1)
    assert not rig.rows("SELECT 1 FROM records WHERE client_id = :id", id=rig.client_id)


def test_mixed_operations_in_one_batch(rig: Rig) -> None:
    items = [
        {"operation": ("log.one", "log.bulk", "log.paced", "no.such")[n % 4], "data": {"uid": n}}
        for n in range(40)
    ]
    batch_id = rig.submit("log.outside", [*items, {"uid": 40}])
    rig.run_out(batch_id)
    statuses = rig.statuses(batch_id)
    assert statuses == ["SUCCESS", "SUCCESS", "SUCCESS", "INVALID"] * 10 + ["SUCCESS"]
    assert rig.items(batch_id)[3].message == "Unknown operation 'no.such'."


def test_a_schedule_begins_at_its_time_and_not_before(rig: Rig) -> None:
    batch_id = rig.submit(
        "log.one", [{"uid": 1}], scheduled_at=datetime.now(UTC) + timedelta(hours=1)
    )
    rig.messages.clear()
    assert rig.sweep()["schedules_started"] == 0
    assert rig.batch(batch_id).status == "SCHEDULED"
    rig.run(
        "UPDATE batches SET scheduled_at = now() - interval '3 days' WHERE id = :id", id=batch_id
    )
    # However long nobody looked.
    assert rig.sweep()["schedules_started"] == 1
    rig.deliver_all()
    assert rig.batch(batch_id).status == "SUCCESS"
