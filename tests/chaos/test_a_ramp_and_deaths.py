"""Workers are killed in the steps of a ramp: nothing is lost, and each step is exact."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret
from app.core.settings import Settings
from tests.conftest import TEST_HANDLERS
from tests.support.stack import Stack, running_stack, wait_for

pytestmark = [pytest.mark.long, pytest.mark.timeout(240)]

STEPS = (7, 23, 40)
ITEMS = 120


@pytest.fixture
def stack(own_settings: Settings, own_engine: Engine, own_processes: None) -> Iterator[Stack]:
    with running_stack(own_settings, handlers=TEST_HANDLERS) as stack:
        yield stack


def test_each_step_is_exact_and_nothing_is_lost(
    stack: Stack, own_engine: Engine, own_client: ClientSecret
) -> None:
    items = [{"key": f"k{number}", "seconds": 0.1} for number in range(ITEMS)]
    asked = {
        "operation": "test.probe",
        "items": items,
        "ramp": {"steps": STEPS, "hold": "approve"},
    }
    with stack.http(own_client, timeout=60) as http:
        batch = http.post("/v1/batches", json=asked).raise_for_status().json()["id"]
        path = f"/v1/batches/{batch}"
        end = 0
        for size in STEPS:
            killed = kill_who_holds(own_engine)
            assert killed, "it was in the step"
            assert not is_held(http, path)
            stack.start("worker")
            end += size
            wait_for(lambda: is_held(http, path), within=90, what=stack.tail)
            assert ended(http, path) == list(range(end))
            assert tried(own_engine) == list(range(end)), "nothing behind the step has begun"
            http.post(f"{path}/resume").raise_for_status()
        assert kill_who_holds(own_engine)
        stack.start("worker")
        done = stack.finished(http, batch, within=90)
    assert (done["status"], done["summary"]["completed"]) == ("SUCCESS", ITEMS)
    with own_engine.connect() as connection:
        query = "SELECT data FROM records WHERE collection = 'probe'"
        effects = sorted(connection.execute(text(query)).scalars())
    assert effects == [[number] for number in range(ITEMS)], "each once"


def kill_who_holds(engine: Engine) -> list[int]:
    """kill -9 all processes of the worker, once one of them has a slice of the batch."""

    def holders() -> list[Any]:
        with engine.connect() as connection:
            query = """
                SELECT w.pid, w.main_pid FROM workers w WHERE w.main_pid IN (
                    SELECT o.main_pid FROM slices s JOIN workers o ON o.id = s.worker_id
                    WHERE s.state = 'CLAIMED')"""
            return list(connection.execute(text(query)))

    found = wait_for(holders)
    pids = sorted({pid for row in found for pid in (row.main_pid, row.pid)})
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return pids


def is_held(http: httpx.Client, path: str) -> bool:
    batch = http.get(path).raise_for_status().json()
    return bool((batch["status"], batch["waitingFor"]) == ("PAUSED", "ramp"))


def ended(http: httpx.Client, path: str) -> list[int]:
    found = http.get(f"{path}/items", params={"status": "SUCCESS", "limit": 1000})
    return [item["index"] for item in found.raise_for_status().json()["data"]]


def tried(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        query = "SELECT index FROM items WHERE attempts > 0 ORDER BY index"
        return list(connection.execute(text(query)).scalars())
