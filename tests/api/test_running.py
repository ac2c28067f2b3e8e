"""RUNNING is not stored: it follows from the slices, in the summary and in the items alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.core.settings import Settings
from tests.api.conftest import Caller, make_app

_SLICE = text(
    """
    INSERT INTO slices (batch_id, wave, number, queue, phase, first_index, last_index, picks,
                        size, state, claim, claimed_at, completed, failed, invalid)
    VALUES (:batch_id, 1, :number, 'fast', :phase, :first, :last, :picks, :size, :state, :claim,
            '2026-01-02T03:04:05Z', :completed, :failed, :invalid)
    """
)


class Staged:
    """A batch whose engine stands still in the middle of a wave."""

    def __init__(self, engine: Engine, api: Caller, items: int) -> None:
        self._engine = engine
        self._number = 0
        self.api = api
        self.id = api.opened([{"asin": f"A{number}"} for number in range(items)])

    def sql(self, statement: str, **values: Any) -> None:
        with self._engine.begin() as connection:
            connection.execute(text(statement), {"id": self.id, **values})

    def slice(
        self, first: int, last: int, state: str, *, phase: str = "run", **values: Any
    ) -> None:
        picks = values.get("picks")
        row = {
            "batch_id": self.id,
            "number": self._number,
            "phase": phase,
            "first": first,
            "last": last,
            "picks": picks,
            "size": len(picks) if picks else last - first + 1,
            "state": state,
            "claim": uuid4() if state == "CLAIMED" else None,
            "completed": 0,
            "failed": 0,
            "invalid": 0,
            **values,
        }
        self._number += 1
        with self._engine.begin() as connection:
            connection.execute(_SLICE, row)

    def statuses(self) -> dict[int, str]:
        data = self.api.get(f"/v1/batches/{self.id}/items?limit=1000").json["data"]
        return {item["index"]: item["status"] for item in data}

    def agrees(self) -> dict[str, int]:
        """The summary, which must be a count over the items as they are shown."""
        summary: dict[str, int] = self.api.get(f"/v1/batches/{self.id}").json["summary"]
        counted = Counter(self.statuses().values())
        names = {
            "PENDING": "pending",
            "RUNNING": "running",
            "SUCCESS": "completed",
            "FAILED": "failed",
            "INVALID": "invalid",
        }
        for status, name in names.items():
            assert summary[name] == counted[status], (status, summary)
            listed = self.api.get(f"/v1/batches/{self.id}/items?status={status}").json["data"]
            assert [item["index"] for item in listed] == sorted(
                index for index, shown in self.statuses().items() if shown == status
            )
        assert summary["processed"] == sum(counted[s] for s in ("SUCCESS", "FAILED", "INVALID"))
        return summary


@pytest.fixture(scope="module")
def engine(own_engine: Engine) -> Engine:
    """A database of its own: the sweep of a stack would take claims that no worker stands for."""
    return own_engine


@pytest.fixture(scope="module")
def app(own_settings: Settings, own_engine: Engine) -> Iterator[Flask]:
    """The application there."""
    yield from make_app(own_settings)


@pytest.fixture
def staged(engine: Engine, api: Caller) -> Staged:
    """A batch of 20 that has begun and is held."""
    staged = Staged(engine, api, 20)
    staged.sql("UPDATE batches SET status = 'PENDING' WHERE id = :id")
    staged.sql("UPDATE batches SET status = 'PAUSED', started_at = now() WHERE id = :id")
    return staged


def _end(staged: Staged, status: str, *indexes: int) -> None:
    staged.sql(
        """UPDATE items SET status = :status, finished_at = now(), attempts = 1,
            code = CASE WHEN :status <> 'SUCCESS' THEN 400 END
        WHERE batch_id = :id AND index = ANY(:indexes)""",
        status=status,
        indexes=list(indexes),
    )


def test_ranges_in_the_first_pass(staged: Staged) -> None:
    _end(staged, "SUCCESS", 0, 1, 5)
    _end(staged, "FAILED", 2)
    _end(staged, "INVALID", 6)
    staged.slice(0, 4, "DONE", completed=2, failed=1)
    staged.slice(5, 9, "CLAIMED", completed=1, invalid=1)
    staged.slice(10, 14, "READY")
    # What was left of a slice that is done waits for a moment of its own.
    staged.sql("UPDATE items SET due_at = now() WHERE batch_id = :id AND index IN (3, 4)")
    summary = staged.agrees()
    assert (summary["running"], summary["pending"]) == (3, 12)


def test_picks_and_repeated_keys(staged: Staged) -> None:
    staged.sql("UPDATE batches SET may_repeat = true WHERE id = :id")
    # Picked at the moment of the claims: due by then.
    staged.sql(
        """UPDATE items SET due_at = '2026-01-02T03:04:05Z'
        WHERE batch_id = :id AND index IN (2, 3, 17)"""
    )
    _end(staged, "SUCCESS", 3)
    staged.slice(0, 4, "CLAIMED")
    staged.slice(2, 17, "CLAIMED", picks=[2, 17])
    staged.slice(3, 3, "DONE", picks=[3], completed=1)
    summary = staged.agrees()
    assert (summary["running"], summary["pending"]) == (5, 14)
    assert staged.statuses()[17] == "RUNNING"


def test_looking_at_items_is_not_running_them(staged: Staged) -> None:
    _end(staged, "INVALID", 1)
    staged.slice(0, 9, "CLAIMED", phase="validate", invalid=1)
    summary = staged.agrees()
    assert (summary["running"], summary["pending"], summary["invalid"]) == (0, 19, 1)


def test_a_running_item_shows_the_try_under_way(staged: Staged) -> None:
    staged.slice(0, 0, "CLAIMED")
    item = staged.api.get(f"/v1/batches/{staged.id}/items/0").json
    assert (item["status"], item["attempts"]) == ("RUNNING", 1)
    assert item["startedAt"] == "2026-01-02T03:04:05.000Z"
    assert item["finishedAt"] is None


def test_progress_reaches_one_only_at_the_end(staged: Staged) -> None:
    staged.sql("UPDATE batches SET completed = 5 WHERE id = :id")
    staged.slice(5, 19, "CLAIMED", completed=14)
    batch = staged.api.get(f"/v1/batches/{staged.id}").json
    assert batch["progress"] == 0.95
    staged.sql("UPDATE slices SET completed = 15 WHERE batch_id = :id")
    assert staged.api.get(f"/v1/batches/{staged.id}").json["progress"] == 0.9999
    listed = staged.api.get("/v1/batches").json["data"][0]
    assert listed["summary"]["completed"] == 20
