"""Workers of the release before, on today's schema, beside today's API and a worker of today's."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret
from app.clients.keys import create_key
from app.core.settings import Settings
from tests.releases.before import NoHistory, code_of_the_release_before
from tests.support.stack import Stack, running_stack, wait_for

pytestmark = pytest.mark.long

LINES = ("worker", "slow")


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code of the release before."""
    folder = tmp_path_factory.mktemp("release-before")
    try:
        code_of_the_release_before(folder)
    except NoHistory as error:
        pytest.skip(str(error))
    return folder


@pytest.fixture(scope="module")
def stack(own_settings: Settings, own_engine: Engine, code: Path) -> Iterator[Stack]:
    """Web, beat and workers of today's, and workers of the release before."""
    with running_stack(own_settings, processes=("web", "beat", *LINES)) as stack:
        for line in LINES:
            stack.start(line, f"before-{line}", root=code)
        yield stack


def _releases_at_work(engine: Engine) -> set[tuple[str, bool]]:
    """Which workers hold slices: the queue, and whether they are of the release before."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                """SELECT DISTINCT w.queue, w.operations IS NULL AS old
                   FROM slices s JOIN workers w ON w.id = s.worker_id WHERE s.state = 'CLAIMED'"""
            )
        )
        return {(row.queue, row.old) for row in rows}


def _some_batches() -> Iterator[dict[str, Any]]:
    """Each kind of work: many items at once, in order by key, slow ones, mixed, validated first."""
    listings = [
        {"asin": f"A{n % 4000}", "countryCode": "US", "percACoS": n % 90} for n in range(8000)
    ]
    waits = [{"seconds": 0.05} for _ in range(60)]
    yield {"operation": "catalog.masterlist", "items": listings}
    yield {"operation": "demo.sleep", "items": waits}
    yield {"operation": "catalog.masterlist", "items": listings[:300], "onInvalid": "reject"}
    yield {
        "items": [
            *({"operation": "catalog.masterlist", "data": each} for each in listings[:400]),
            *({"operation": "demo.sleep", "data": each} for each in waits[:20]),
        ]
    }
    yield {"operation": "catalog.masterlist", "items": listings[:1]}


def test_all_items_end_as_they_should(
    stack: Stack, own_engine: Engine, own_client: ClientSecret
) -> None:
    with stack.http(own_client) as http:
        _wait_until_old_ones_live(own_engine, stack)
        seen: set[tuple[str, bool]] = set()
        everyone = {(queue, old) for queue in ("fast", "slow") for old in (True, False)}
        batches: list[str] = []
        while seen < everyone:
            assert len(batches) < 100, f"only {seen} have taken anything"
            batches += [_submit(http, body) for body in _some_batches()]
            while not _ended(http, batches):
                seen |= _releases_at_work(own_engine)
        for batch_id in batches:
            batch = stack.finished(http, batch_id)
            summary = batch["summary"]
            assert (batch["status"], summary["completed"]) == ("SUCCESS", summary["total"]), batch


def test_what_awaits_approval_is_not_run_by_old_ones(
    stack: Stack, own_engine: Engine, own_client: ClientSecret
) -> None:
    """They look at items, as they know how to; what they would do next Postgres refuses."""
    other = create_key(own_engine, own_client.client_id)
    with stack.http(own_client) as http, stack.http(other) as approver:
        _wait_until_old_ones_live(own_engine, stack)
        items = [{"asin": f"B{n}", "countryCode": "US", "percACoS": n % 90} for n in range(400)]
        body = {"operation": "catalog.masterlist", "items": [*items, {"asin": 1}]}
        batches = [_submit(http, {**body, "approval": True}) for _ in range(12)]
        paths = [f"/v1/batches/{batch_id}" for batch_id in batches]
        wait_for(
            lambda: all(http.get(path).json()["status"] == "AWAITING" for path in paths),
            what=lambda: stack.tail(),
        )
        for path in paths:
            summary = http.get(path).json()["summary"]
            assert (summary["pending"], summary["invalid"]) == (400, 1)
            approver.post(f"{path}/approve").raise_for_status()
        for batch_id in batches:
            batch = stack.finished(http, batch_id)
            assert (batch["status"], batch["summary"]["completed"]) == ("PARTIAL", 400), batch


def test_what_a_dry_run_does_is_not_kept_by_old_ones(
    stack: Stack, own_engine: Engine, own_client: ClientSecret
) -> None:
    """They would call the handlers as in earnest: Postgres lets them claim nothing of it."""
    items = [{"asin": f"C{n}", "countryCode": "US", "percACoS": n % 90} for n in range(400)]
    body = {"operation": "catalog.masterlist", "dryRun": "effects", "items": [*items, {"asin": 1}]}
    with stack.http(own_client) as http:
        _wait_until_old_ones_live(own_engine, stack)
        batches = [_submit(http, body) for _ in range(12)]
        batches += [_submit(http, {**body, "items": items, "onInvalid": "reject"})]
        for batch_id in batches:
            batch = stack.finished(http, batch_id)
            assert (batch["dryRun"], batch["summary"]["completed"]) == ("effects", 400), batch
        retried = batches[0]
        http.post(f"/v1/batches/{retried}/retry", json={"statuses": ["INVALID"]}).raise_for_status()
        summary = stack.finished(http, retried)["summary"]
        assert (summary["completed"], summary["invalid"]) == (400, 1)
    refused = [
        path.name
        for path in stack.logs.glob("before-*.log")
        if "would keep the effects" in path.read_text()
    ]
    assert refused, "no old worker has tried to claim anything"
    with own_engine.connect() as connection:
        kept = text("SELECT count(*) FROM records WHERE key LIKE '%C1%'")
        assert connection.execute(kept).scalar_one() == 0


def test_what_a_ramp_holds_back_is_not_run_by_old_ones(
    stack: Stack, own_engine: Engine, own_client: ClientSecret
) -> None:
    """They would plan what is behind the step, which Postgres refuses."""
    with stack.http(own_client) as http:
        _wait_until_old_ones_live(own_engine, stack)
        items = [{"asin": f"C{n}", "countryCode": "US", "percACoS": n % 90} for n in range(900)]
        ramp = {"steps": [10, 400], "hold": "approve"}
        body = {"operation": "catalog.masterlist", "items": items, "ramp": ramp}
        paths = [f"/v1/batches/{_submit(http, body)}" for _ in range(6)]
        for end in (10, 410):
            for path in paths:
                batch = wait_for(partial(_paused, http, path), within=60, what=stack.tail)
                assert batch["summary"]["processed"] == end
                assert batch["summary"]["completed"] == end
            for path in paths:
                http.post(f"{path}/resume").raise_for_status()
        for path in paths:
            batch = stack.finished(http, path.rpartition("/")[2])
            assert (batch["status"], batch["summary"]["completed"]) == ("SUCCESS", 900), batch


def _paused(http: httpx.Client, path: str) -> Any:
    batch = http.get(path).json()
    return batch if batch["waitingFor"] == "ramp" else None


def _wait_until_old_ones_live(engine: Engine, stack: Stack) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        old = text("SELECT count(DISTINCT queue) FROM workers WHERE operations IS NULL")
        wait_for(lambda: connection.execute(old).scalar() == 2, what=lambda: stack.tail())


def _submit(http: httpx.Client, body: dict[str, Any]) -> str:
    return str(http.post("/v1/batches", json=body).raise_for_status().json()["id"])


def _ended(http: httpx.Client, batches: list[str]) -> bool:
    found = [http.get(f"/v1/batches/{batch_id}").json() for batch_id in batches[-5:]]
    return all(batch["finishedAt"] for batch in found)
