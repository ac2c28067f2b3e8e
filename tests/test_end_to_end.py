"""A batch from request to summary, on real processes; and what a worker's death does to it."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret
from app.core.settings import Settings
from tests.support.stack import Stack, running_stack, wait_for


@pytest.fixture
def http(stack: Stack, client: ClientSecret) -> Any:
    with stack.http(client) as http:
        yield http


def feed(count: int, *, start: int = 0) -> list[dict[str, Any]]:
    return [
        {"asin": f"B{number:09}", "countryCode": "US", "percACoS": 2.7}
        for number in range(start, start + count)
    ]


def submit(http: httpx.Client, items: list[Any], **fields: Any) -> str:
    answer = http.post("/v1/batches", json={"items": items, **fields})
    assert answer.status_code == 202, answer.text
    batch_id: str = answer.json()["id"]
    assert answer.headers["Location"] == f"/v1/batches/{batch_id}"
    return batch_id


def items_of(http: httpx.Client, batch_id: str, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    query.setdefault("limit", 1000)
    while True:
        page = http.get(f"/v1/batches/{batch_id}/items", params=query).raise_for_status().json()
        found += page["data"]
        if not page["next"]:
            return found
        query["cursor"] = page["next"]


def test_good_and_bad_items_end_partial_with_just_the_bad_ones_invalid(
    stack: Stack, http: httpx.Client
) -> None:
    items: list[Any] = feed(30)
    items[3] = {"asin": "B1", "countryCode": "usa", "percACoS": 2.7}
    items[11] = {"asin": "B2", "countryCode": "US", "percACoS": True}
    items[12] = "no object"
    items[29] = {"asin": "B3", "countryCode": "US", "percACoS": 1, "extra": 1}
    batch = stack.finished(http, submit(http, items, operation="catalog.masterlist"))
    assert batch["status"] == "PARTIAL"
    assert batch["summary"] == {
        "total": 30,
        "pending": 0,
        "running": 0,
        "completed": 26,
        "failed": 0,
        "invalid": 4,
        "canceled": 0,
        "processed": 30,
    }
    invalid = items_of(http, batch["id"], status="INVALID")
    assert [item["index"] for item in invalid] == [3, 11, 12, 29]
    assert "countryCode" in invalid[0]["message"]
    assert "percACoS" in invalid[1]["message"]
    assert "object" in invalid[2]["message"]
    assert "extra" in invalid[3]["message"]
    record = http.get("/v1/records/masterlist/B000000000:US").raise_for_status().json()
    assert record["data"] == {"asin": "B000000000", "countryCode": "US", "percACoS": 2.7}
    assert record["version"] == 1


def test_thousands_of_items_each_exactly_once(stack: Stack, http: httpx.Client) -> None:
    batch = stack.finished(http, submit(http, feed(6000), operation="catalog.masterlist"))
    assert batch["status"] == "SUCCESS"
    assert batch["summary"]["completed"] == 6000
    again = stack.finished(
        http, submit(http, feed(6000, start=3000), operation="catalog.masterlist")
    )
    results = [item["result"]["process"] for item in items_of(http, again["id"])]
    assert results == ["UPDATE"] * 3000 + ["INSERT"] * 3000
    assert http.get("/v1/records/masterlist/B000003000:US").json()["version"] == 2


def test_a_repeated_key_runs_in_the_order_submitted(stack: Stack, http: httpx.Client) -> None:
    items = [{"key": f"k{number % 7}"} for number in range(700)]
    batch = stack.finished(http, submit(http, items, operation="test.bulk"))
    assert batch["summary"]["completed"] == 700
    for key in range(7):
        record = http.get(f"/v1/records/probe/k{key}").json()
        assert record["data"] == list(range(key, 700, 7))


def test_items_that_end_their_process_fail_alone(
    stack: Stack, http: httpx.Client, engine: Engine
) -> None:
    items = [{"key": f"p{number}"} for number in range(20)]
    items[7]["do"] = "exit"
    batch = stack.finished(http, submit(http, items, operation="test.poison"), within=100)
    assert batch["status"] == "PARTIAL"
    assert batch["summary"]["failed"] == 1
    assert batch["summary"]["completed"] == 19
    failed = items_of(http, batch["id"], status="FAILED")
    assert [item["index"] for item in failed] == [7]
    assert "died" in failed[0]["message"]
    with engine.connect() as connection:
        effects = connection.execute(
            text("SELECT count(*) FROM records WHERE collection = 'probe' AND key LIKE 'p%'")
        ).scalar_one()
    assert effects == 19


@pytest.mark.whole
@pytest.mark.timeout(180)
@pytest.mark.usefixtures("own_processes")
def test_a_killed_workers_items_run_elsewhere_and_more_workers_take_their_share(
    settings: Settings, client: ClientSecret, engine: Engine
) -> None:
    with (
        running_stack(settings, handlers="tests.support.handlers") as stack,
        stack.http(client) as http,
    ):
        items = [{"key": f"w{number}", "seconds": 0.05} for number in range(300)]
        batch_id = submit(http, items, operation="test.probe")
        before = wait_for(
            lambda: http.get(f"/v1/batches/{batch_id}").json()["summary"]["completed"],
            what="the first items",
        )
        victim = stack.processes.pop("worker")
        pids = _celery_processes(victim.process.pid)
        assert pids
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        victim.wait(timeout=20)
        stack.start("worker", "worker-2")
        stack.start("worker", "worker-3")
        batch = stack.finished(http, batch_id, within=100)
        assert batch["status"] == "SUCCESS", batch
        assert batch["summary"]["completed"] == 300 >= before
        assert [item["status"] for item in items_of(http, batch_id)] == ["SUCCESS"] * 300
        # Each effect once, whatever was tried twice.
        with engine.connect() as connection:
            logs = connection.execute(
                text("SELECT data::text FROM records WHERE collection='probe' AND key LIKE 'w%'")
            ).scalars()
            assert sorted(logs) == sorted(f"[{number}]" for number in range(300))

        # Both workers started by hand take part in the next batch.
        with engine.connect() as connection:
            alive = {row.pid for row in connection.execute(text("SELECT pid FROM workers"))}
        batch_id = submit(
            http, [{"key": f"x{n}", "seconds": 0.05} for n in range(200)], operation="test.probe"
        )
        owners: set[int] = set()

        def all_take_part() -> bool:
            with engine.connect() as connection:
                owners.update(
                    connection.execute(
                        text(
                            """
                            SELECT w.pid FROM slices s JOIN workers w ON w.id = s.worker_id
                            WHERE s.batch_id = :batch_id
                            """
                        ),
                        {"batch_id": batch_id},
                    ).scalars()
                )
            return all(
                owners & set(_celery_processes(stack.processes[name].process.pid))
                for name in ("worker-2", "worker-3")
            )

        wait_for(all_take_part, what="both workers' slices")
        assert owners <= alive | owners
        assert stack.finished(http, batch_id)["status"] == "SUCCESS"


def _celery_processes(guard: int) -> list[int]:
    """The processes below a guard, by /proc."""
    found, todo = [], [guard]
    while todo:
        parent = todo.pop()
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            pids = [int(pid) for pid in children.read_text().split()]
            found += pids
            todo += pids
    return found
