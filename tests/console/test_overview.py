"""The first page: one sentence says how things stand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine

from app.batches.breakers.by_hand import set_breaker
from app.batches.ended_items import Ended
from app.clients.credentials import create_client
from app.console.pages.overview.figures import Figures, Workers
from app.console.pages.overview.state import state_of
from app.db import transaction
from app.db.statements.breakers import BreakerRow
from tests.console.conftest import Person

NOTHING = Figures({}, None, {}, [Workers("fast", 3, 6, 0)], [], [Ended()] * 60, [], [], [])


def breaker(operation: str, base: str = "", status: str = "open") -> BreakerRow:
    return BreakerRow(1, operation, base, status, False, datetime.now(UTC), None)


def waiting(operation: str | None) -> Any:
    """What of a batch the sentence goes by."""
    return SimpleNamespace(operation=operation, waiting_for="worker")


STATES: dict[str, tuple[dict[str, Any], str, str]] = {
    "idle": ({}, "calm", "Idle: everything that was submitted has been done."),
    "no worker": ({"workers": []}, "bad", "No worker is alive"),
    "a queue without": (
        {"in_line": {"slow": 2}},
        "bad",
        "No worker of the queue slow is alive, and 2 batches wait for one.",
    ),
    "no worker has it": (
        {"latest": [waiting("a.x"), waiting(None)], "unfinished": {"PENDING": (2, 5)}},
        "warn",
        "2 of the latest batches wait for a worker that has their operation: a.x, several.",
    ),
    "starving": ({"workers": [Workers("fast", 3, 6, 1)]}, "warn", "1 of 3 workers take nothing"),
    "a breaker": (
        {"breakers": [breaker("http.request", "erp"), breaker("http.request", "crm", "probing")]},
        "warn",
        "1 operation is held by a breaker: http.request to erp, crm.",
    ),
    "breakers": (
        {"breakers": [breaker("b.x"), breaker("a.x")], "unfinished": {"RUNNING": (1, 5)}},
        "warn",
        "2 operations are held by a breaker: a.x, b.x.",
    ),
    "failing": ({"hour": [Ended(9, 1)] * 60}, "warn", "items failed: 60 of 600."),
    "going": (
        {"unfinished": {"RUNNING": (2, 1200), "PENDING": (1, 34)}},
        "good",
        "Everything is going: 3 batches are under way, 1,234 items to go.",
    ),
    "waiting for people": (
        {"unfinished": {"AWAITING": (1, 5), "PAUSED": (2, 5)}},
        "calm",
        "Nothing is under way: 1 batch awaits approval, 2 batches are paused.",
    ),
}


@pytest.mark.parametrize("which", STATES)
def test_a_sentence_says_how_it_stands(which: str) -> None:
    changed, kind, sentence = STATES[which]
    found = state_of(replace(NOTHING, **changed))
    assert found.kind == kind
    assert sentence in found.sentence


def test_open_breakers_are_named_with_their_base(
    app: Flask, engine: Engine, person: Person
) -> None:
    boss = create_client(engine, f"boss {uuid4()}", ["admin"])
    with transaction(engine) as connection:
        set_breaker(connection, boss.client_id, "demo.sleep", "warehouse <b>", opened=True)
    try:
        fresh = Person(app, "192.0.2.77")
        fresh.sign_in(boss.secret)
        page = fresh.get("/console").text
        assert 'href="/console/operations#demo.sleep"' in page
        assert "warehouse &lt;b&gt;" in page
        assert "by hand" in page
    finally:
        with transaction(engine) as connection:
            set_breaker(connection, boss.client_id, "demo.sleep", None, opened=False)
