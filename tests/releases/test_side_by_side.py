"""Real processes of two releases: web and a worker without a handler, and a worker that has it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret
from app.core.settings import Settings
from app.local.servers.guarded import Guarded
from tests.support.stack import Stack, running_stack, wait_for

pytestmark = pytest.mark.long

NEWER = "tests.releases.newer"


@pytest.fixture(scope="module")
def old(own_settings: Settings, own_engine: Engine) -> Iterator[Stack]:
    """Web and workers of a release that lacks `newer.*`."""
    with running_stack(own_settings) as stack:
        yield stack


@pytest.fixture
def http(old: Stack, own_client: ClientSecret) -> Iterator[httpx.Client]:
    with old.http(own_client) as http:
        yield http


def start_newer(old: Stack) -> Guarded:
    """A worker of the release that has it, beside the others."""
    old.environ["HANDLERS"] = NEWER
    try:
        return old.start("worker", "newer")
    finally:
        old.environ["HANDLERS"] = ""


def stop(process: Guarded) -> None:
    process.terminate()
    wait_for(lambda: not process.running)


def served(http: httpx.Client, operation: str) -> bool | None:
    """What the catalogue says of it; None where it is not listed."""
    listed = http.get("/v1/operations").raise_for_status().json()["data"]
    return {entry["name"]: entry["served"] for entry in listed}.get(operation)


def metric(http: httpx.Client, operation: str) -> str | None:
    wanted = f'batchline_operation_served{{operation="{operation}"}} '
    lines = http.get("/metrics").raise_for_status().text.splitlines()
    return next((line.removeprefix(wanted) for line in lines if line.startswith(wanted)), None)


def submit(http: httpx.Client, **body: Any) -> httpx.Response:
    return http.post("/v1/batches", json=body)


def test_from_a_workers_start_to_after_its_end(
    old: Stack, http: httpx.Client, own_engine: Engine
) -> None:
    assert served(http, "newer.note") is None
    assert served(http, "catalog.masterlist") is True
    refused = submit(http, operation="newer.note", items=[{"n": 1}])
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/operation"

    newer = start_newer(old)
    wait_for(lambda: served(http, "newer.note"), within=20)
    assert metric(http, "newer.note") == "1.0"
    # The old worker gets half of the slices, and has none of the items.
    items = [{"n": n % 1500, "note": str(n)} for n in range(3000)]
    accepted = submit(http, operation="newer.note", items=items)
    assert accepted.status_code == 202, accepted.text
    batch = old.finished(http, accepted.json()["id"])
    assert (batch["status"], batch["summary"]["invalid"]) == ("SUCCESS", 0)
    with own_engine.connect() as connection:
        kept = connection.execute(
            text("SELECT key, data FROM records WHERE collection = 'newer'")
        ).all()
    # The API, which lacks the handler, has read the keys: in order, each once.
    assert {row.key: row.data for row in kept} == {
        str(n): [str(n), str(n + 1500)] for n in range(1500)
    }

    stop(newer)
    wait_for(lambda: served(http, "newer.note") is False, within=20)
    assert metric(http, "newer.note") == "0.0"
    assert submit(http, operation="newer.note", items=[{"n": 1}]).status_code == 422


def test_what_nobody_has_just_now_waits_and_says_so(old: Stack, http: httpx.Client) -> None:
    newer = start_newer(old)
    wait_for(lambda: served(http, "newer.note"), within=20)
    mixed = [
        {"operation": "newer.note", "data": {"n": 1}},
        {"operation": "catalog.nothing", "data": {}},
        {"asin": "A", "countryCode": "US", "percACoS": 1},
    ]
    opened = submit(http, operation="newer.note", items=[{"n": 1}], start="manual").json()["id"]
    stop(newer)
    began = time.monotonic()
    http.post(f"/v1/batches/{opened}/start").raise_for_status()
    other = submit(http, operation="catalog.masterlist", items=mixed).json()["id"]

    def items(batch: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = http.get(f"/v1/batches/{batch}/items").json()["data"]
        return found

    wait_for(lambda: items(opened)[0]["message"])
    assert items(opened)[0]["message"] == (
        "Waits for a worker that has the operation 'newer.note'."
    )
    wait_for(lambda: items(other)[1]["status"] == "INVALID")
    assert time.monotonic() - began < 30
    wait_for(lambda: items(other)[2]["status"] == "SUCCESS" and items(other)[0]["message"])
    assert [item["status"] for item in items(other)] == ["PENDING", "INVALID", "SUCCESS"]
    assert items(other)[0]["attempts"] == 0

    newer = start_newer(old)
    for batch in (opened, other):
        old.finished(http, batch, within=30)
        assert items(batch)[0]["status"] == "SUCCESS"
    stop(newer)
