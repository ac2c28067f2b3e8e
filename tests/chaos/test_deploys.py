"""A worker that is told to stop: it has ended in time, and no item has lost an attempt by it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret
from app.core.settings import Settings
from tests.support.stack import Stack, running_stack, wait_for

pytestmark = pytest.mark.long

STOP_SECONDS = 8.0
OPERATIONS = ("test.probe", "test.outside", "test.slow")
NO_FILES = (None,) * len(OPERATIONS)


@pytest.fixture(scope="module")
def deployed(own_settings: Settings, own_engine: Engine) -> Iterator[Stack]:
    """A stack whose workers have eight seconds to stop."""
    with running_stack(
        own_settings,
        handlers="tests.support.handlers",
        extra={"WORKER_STOP_SECONDS": str(STOP_SECONDS)},
    ) as stack:
        yield stack


def _submit_each(
    http: httpx.Client, items: list[dict[str, Any]], begun: Sequence[Path | None] = NO_FILES
) -> list[str]:
    """A batch of each kind: effects in the database, elsewhere, and elsewhere on threads, of which
    there are many, so that it has ten times as many items. `begun`: a file of each kind that is
    there once an item has begun."""
    ids = []
    for operation, path in zip(OPERATIONS, begun, strict=True):
        these = items * 10 if operation == "test.slow" else items
        body = {
            "operation": operation,
            "items": [
                {**item, "key": f"{operation}{n}", "begun": path and str(path)}
                for n, item in enumerate(these)
            ],
        }
        ids.append(http.post("/v1/batches", json=body).raise_for_status().json()["id"])
    return ids


def _wait_until_under_way(engine: Engine, batches: list[str]) -> None:
    """Until both lines have claimed slices of the batches."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        claimed = text(
            """
            SELECT count(DISTINCT queue) FROM slices
            WHERE state = 'CLAIMED' AND batch_id = ANY(CAST(:ids AS uuid[]))
            """
        )
        wait_for(lambda: connection.execute(claimed, {"ids": batches}).scalar() == 2)


def _replace_workers(stack: Stack) -> dict[str, float]:
    """Tell each worker to stop, with the next one beside it; the seconds until each had ended."""
    old = {line: stack.processes[line] for line in ("worker", "slow")}
    began = time.monotonic()
    for line, process in old.items():
        process.terminate()
        stack.start(line)
    took: dict[str, float] = {}

    def all_ended() -> bool:
        for line, process in old.items():
            if not process.running:
                took.setdefault(line, time.monotonic() - began)
        return took.keys() == old.keys()

    wait_for(all_ended, within=30, what=stack.tail)
    return took


def _stopped_late(stack: Stack) -> int:
    return sum(log.read_text().count("worker.stopped_late") for log in stack.logs.glob("*.log"))


def _nothing_was_lost(stack: Stack, engine: Engine, http: httpx.Client, batch_id: str) -> None:
    batch = stack.finished(http, batch_id)
    assert batch["status"] == "SUCCESS"
    with engine.connect() as connection:
        tried = connection.execute(
            text("SELECT DISTINCT attempts, crashes FROM items WHERE batch_id = :id"),
            {"id": batch_id},
        ).all()
    assert [tuple(row) for row in tried] == [(1, 0)]


def test_it_ends_after_the_items_under_way(
    deployed: Stack, own_engine: Engine, own_client: ClientSecret
) -> None:
    with deployed.http(own_client) as http:
        batches = _submit_each(http, [{"seconds": 0.4}] * 20)
        _wait_until_under_way(own_engine, batches)
        took = _replace_workers(deployed)
        assert max(took.values()) < STOP_SECONDS, took
        assert _stopped_late(deployed) == 0
        for batch_id in batches:
            _nothing_was_lost(deployed, own_engine, http, batch_id)


def test_what_takes_too_long_is_given_back(
    deployed: Stack, own_engine: Engine, own_client: ClientSecret, tmp_path: Path
) -> None:
    before = _stopped_late(deployed)
    begun = [tmp_path / operation for operation in OPERATIONS]
    with deployed.http(own_client) as http:
        batches = _submit_each(http, [{"seconds": 16}], begun)
        # That a slice is claimed is not enough: whoever is told to stop before its first item has
        # begun gives it back at once.
        wait_for(lambda: all(path.exists() for path in begun))
        took = _replace_workers(deployed)
        assert min(took.values()) >= STOP_SECONDS, took
        assert max(took.values()) < STOP_SECONDS + 3, took
        assert _stopped_late(deployed) == before + 2
        for batch_id in batches:
            _nothing_was_lost(deployed, own_engine, http, batch_id)
