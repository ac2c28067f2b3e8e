"""A worker that lives and takes nothing: readiness says so, it ends, and the next one goes on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from celery import Celery
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret
from app.core.settings import Settings
from app.messaging.broker import configure
from tests.support.stack import Stack, running_stack, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.whole]

PATIENCE = 3.0
TEST_HANDLERS = "tests.support.handlers"


@pytest.fixture(scope="module")
def stack(own_settings: Settings, own_engine: Engine) -> Iterator[Stack]:
    """A stack whose workers may take nothing for three seconds."""
    extra = {"STARVING_SECONDS": str(PATIENCE), "WORKER_STOP_SECONDS": "2"}
    with running_stack(own_settings, handlers=TEST_HANDLERS, extra=extra) as stack:
        yield stack


@pytest.fixture
def http(stack: Stack, own_client: ClientSecret) -> Iterator[httpx.Client]:
    with stack.http(own_client) as http:
        yield http


@pytest.fixture
def remote(own_settings: Settings) -> Iterator[Celery]:
    """Remote control of the workers."""
    celery = Celery("tests", set_as_current=False)
    configure(celery, own_settings)
    yield celery
    celery.close()


def missing(http: httpx.Client) -> str:
    answer = http.get("/readyz")
    return "" if answer.status_code == 200 else str(answer.json()["detail"])


def cancel_consumers(remote: Celery, name: str, queues: tuple[str, ...]) -> None:
    """Have the workers of that name take from none of these queues any more."""
    control: Any = remote.control
    inspected = control.inspect(timeout=2).ping() or {}
    targets = [each for each in inspected if each.startswith(f"{name}-")]
    assert targets, inspected
    for queue in queues:
        control.cancel_consumer(queue, destination=targets, reply=True, timeout=5)


@pytest.mark.parametrize(
    ("line", "queues", "operation", "said"),
    [
        ("slow", ("control", "slow"), "test.slow", "Missing: a worker for slow."),
        ("worker", ("control", "express", "fast"), "test.probe", "Missing: a worker for fast."),
    ],
)
def test_it_is_named_ends_and_is_replaced(
    stack: Stack,
    http: httpx.Client,
    remote: Celery,
    line: str,
    queues: tuple[str, ...],
    operation: str,
    said: str,
) -> None:
    assert missing(http) == ""
    worker = stack.processes[line]
    cancel_consumers(remote, line, queues)
    body = {"operation": operation, "items": [{"key": str(n)} for n in range(10)]}
    batch = http.post("/v1/batches", json=body).raise_for_status().json()["id"]
    wait_for(lambda: missing(http) == said, within=PATIENCE + 10, what=lambda: stack.tail())
    wait_for(lambda: not worker.running, within=15, what=lambda: stack.tail())
    assert "worker.takes_nothing" in (stack.logs / f"{line}.log").read_text()
    # As what keeps it running does.
    stack.start(line)
    assert stack.finished(http, batch)["status"] == "SUCCESS"
    assert missing(http) == ""


def test_one_whose_slots_are_all_at_work_is_live(stack: Stack, http: httpx.Client) -> None:
    worker = stack.processes["worker"]
    body = {
        "operation": "test.probe",
        "items": [{"key": str(n), "seconds": 2 * PATIENCE} for n in range(4)],
    }
    batch = http.post("/v1/batches", json=body).raise_for_status().json()["id"]
    while not http.get(f"/v1/batches/{batch}", params={"wait": 1}).json()["finishedAt"]:
        assert missing(http) == ""
    assert worker.running
