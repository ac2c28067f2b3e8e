"""Without beat, workers sweep by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret
from app.core.settings import Settings
from app.db import transaction
from app.db.statements.sweeps import IS_SWEEP_OVERDUE, TRY_SWEEP_LOCK
from tests.support.stack import Stack, running_stack, wait_for


@pytest.fixture
def beatless(own_settings: Settings, own_engine: Engine) -> Iterator[Stack]:
    """A stack without beat."""
    with running_stack(
        own_settings, handlers="tests.support.handlers", processes=("web", "worker", "slow")
    ) as stack:
        yield stack


@pytest.mark.whole
def test_schedules_begin_all_the_same(
    beatless: Stack, own_client: ClientSecret, own_engine: Engine
) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
    body = {"operation": "test.probe", "items": [{"key": "later"}], "scheduledAt": soon}
    with beatless.http(own_client) as http:
        batch_id = http.post("/v1/batches", json=body).raise_for_status().json()["id"]
        assert beatless.finished(http, batch_id, within=30)["status"] == "SUCCESS"
    with own_engine.begin() as connection:
        wait_for(lambda: connection.execute(TRY_SWEEP_LOCK).scalar_one(), what="the lock")
        assert not connection.execute(IS_SWEEP_OVERDUE, {"seconds": 30}).scalar_one()
        assert connection.execute(IS_SWEEP_OVERDUE, {"seconds": 0}).scalar_one()


def test_before_the_first_a_sweep_is_overdue(own_engine: Engine) -> None:
    with transaction(own_engine) as connection:
        connection.execute(text("DELETE FROM sweeps"))
        assert connection.execute(IS_SWEEP_OVERDUE, {"seconds": 1000}).scalar_one()
        connection.rollback()
