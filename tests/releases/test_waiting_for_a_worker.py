"""Batches say that they wait for a worker: with real ones that are not there, lack it, and come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret
from app.core.settings import Settings
from app.local.servers.guarded import Guarded
from tests.conftest import TEST_HANDLERS
from tests.support.stack import Stack, running_stack, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.whole]

SHIPPED = {"asin": "B000000001", "countryCode": "US", "percACoS": 2.7}


@pytest.fixture(scope="module")
def stack(own_settings: Settings, own_engine: Engine) -> Iterator[Stack]:
    """Web and beat, and no worker yet."""
    with running_stack(own_settings, handlers=TEST_HANDLERS, processes=("beat",)) as stack:
        stack.start("web")
        wait_for(lambda: _lives(stack), what=stack.tail)
        yield stack


@pytest.fixture
def http(stack: Stack, own_client: ClientSecret) -> Iterator[httpx.Client]:
    with stack.http(own_client) as http:
        yield http


def _lives(stack: Stack) -> bool:
    try:
        return httpx.get(f"{stack.url}/healthz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def start_worker(stack: Stack, handlers: str) -> Guarded:
    before, stack.environ["HANDLERS"] = stack.environ["HANDLERS"], handlers
    try:
        return stack.start("worker")
    finally:
        stack.environ["HANDLERS"] = before


def submit(http: httpx.Client, **body: Any) -> str:
    answer = http.post("/v1/batches", json=body).raise_for_status()
    return f"/v1/batches/{answer.json()['id']}"


def waiting_for(http: httpx.Client, path: str) -> str | None:
    """What it waits for, by its own body and by that in the list, which say the same."""
    [listed] = [
        batch["waitingFor"]
        for batch in http.get("/v1/batches").raise_for_status().json()["data"]
        if path.endswith(batch["id"])
    ]
    said: str | None = http.get(path).raise_for_status().json()["waitingFor"]
    return said if said == listed else f"{said}, {listed}"


def is_served(http: httpx.Client, operation: str) -> bool:
    listed = http.get("/v1/operations").raise_for_status().json()["data"]
    return any(entry["name"] == operation and entry["served"] for entry in listed)


def wait_until_it_waits_for(
    stack: Stack, http: httpx.Client, path: str, wanted: str | None, *, within: float = 60
) -> None:
    wait_for(lambda: waiting_for(http, path) == wanted, within=within, what=stack.tail)


def test_until_one_comes_that_has_the_operation(stack: Stack, http: httpx.Client) -> None:
    body = {"operation": "test.probe", "items": [{"key": str(n)} for n in range(10)]}
    ours = submit(http, **body)
    mixed = submit(
        http,
        items=[
            {"operation": "catalog.masterlist", "data": SHIPPED},
            {"operation": "test.probe", "data": {"key": "a"}},
            {"operation": "test.probe", "data": {"key": "b"}},
        ],
    )
    paths = (ours, mixed)
    for path in paths:
        wait_until_it_waits_for(stack, http, path, "worker")
    # Nothing has changed until something has.
    first = http.get(ours)
    same = {"If-None-Match": first.headers["ETag"]}
    assert http.get(ours, headers=same).status_code == 304

    start_worker(stack, "")
    other = submit(http, operation="catalog.masterlist", items=[{**SHIPPED, "asin": "B2"}])
    assert stack.finished(http, other.rpartition("/")[2])["waitingFor"] is None
    wait_for(
        lambda: http.get(mixed).json()["summary"]["completed"] == 1,
        what=stack.tail,
    )
    for path in paths:
        wait_until_it_waits_for(stack, http, path, "worker")
        assert http.get(path).json()["summary"]["processed"] <= 1

    stack.processes["worker"].terminate()
    start_worker(stack, TEST_HANDLERS)
    # To start takes as long as it takes; what is promised is told from then on.
    wait_for(lambda: is_served(http, "test.probe"), within=90, what=stack.tail)
    for path in paths:
        # Seconds: passed on with a pause that grows to six at the most.
        wait_until_it_waits_for(stack, http, path, None, within=20)
        assert stack.finished(http, path.rpartition("/")[2])["status"] == "SUCCESS"
    assert http.get(ours, headers=same).status_code == 200


def test_when_the_last_one_has_gone(stack: Stack, http: httpx.Client) -> None:
    worker = stack.processes["worker"]
    worker.terminate()
    wait_for(lambda: not worker.running, what=stack.tail)
    path = submit(http, operation="test.probe", items=[{"key": "late"}])
    wait_until_it_waits_for(stack, http, path, "worker", within=20)
    assert http.post(f"{path}/pause").json()["waitingFor"] is None
    assert http.post(f"{path}/resume").json()["waitingFor"] == "worker"
    assert http.post(f"{path}/cancel").json()["waitingFor"] is None
    start_worker(stack, TEST_HANDLERS)
    wait_for(lambda: is_served(http, "test.probe"), within=90, what=stack.tail)
    again = submit(http, operation="test.probe", items=[{"key": "later"}])
    assert stack.finished(http, again.rpartition("/")[2])["status"] == "SUCCESS"
