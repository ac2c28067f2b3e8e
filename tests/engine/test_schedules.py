"""Schedules, with beat and workers as processes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, text

from app.batches.actions import act, amend
from app.batches.submission import Submission, accept
from app.clients.credentials import ClientSecret
from app.core.settings import Settings
from app.formats.raw_item import RawItem
from app.messaging.dispatch import Dispatcher
from handlers import Registry
from tests.support.application import close_dispatcher
from tests.support.stack import Stack, wait_for

pytestmark = pytest.mark.stack


class Scheduled:
    """Batches of one client, scheduled past the API."""

    def __init__(
        self, settings: Settings, engine: Engine, registry: Registry, client: ClientSecret
    ) -> None:
        self.engine = engine
        self._dispatcher = Dispatcher(settings)
        self.client_id = client.client_id
        self._registry = registry

    def submit(
        self, seconds: float | None, operation: str = "test.probe", item: str = "{}"
    ) -> UUID:
        """A batch for so many seconds from now, or for now."""
        moment = None if seconds is None else datetime.now(UTC) + timedelta(seconds=seconds)
        accepted = accept(
            self.engine,
            self._registry,
            Submission(self.client_id, operation, scheduled_at=moment),
            [RawItem(item)],
        )
        if moment is None:
            self._dispatcher.advance(accepted.batch_id)
        return accepted.batch_id

    def batch(self, batch_id: UUID) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(
                text("SELECT * FROM batches WHERE id = :id"), {"id": batch_id}
            ).one()

    def delay(self, batch_id: UUID) -> float:
        """Seconds from its time to its start, once it has ended."""
        wait_for(lambda: self.batch(batch_id).finished_at, within=20)
        batch = self.batch(batch_id)
        assert batch.status == "SUCCESS"
        return float((batch.started_at - batch.scheduled_at).total_seconds())


@pytest.fixture
def scheduled(
    stack: Stack, settings: Settings, engine: Engine, registry: Registry, client: ClientSecret
) -> Iterator[Scheduled]:
    scheduled = Scheduled(settings, engine, registry, client)
    yield scheduled
    close_dispatcher(scheduled._dispatcher)


def test_it_starts_within_two_seconds_of_its_time(scheduled: Scheduled) -> None:
    batches = [scheduled.submit(1 + place / 3) for place in range(6)]
    delays = [scheduled.delay(batch_id) for batch_id in batches]
    assert all(0 <= delay < 2 for delay in delays), delays


def test_it_starts_while_handlers_keep_every_process_busy(scheduled: Scheduled) -> None:
    busy = [scheduled.submit(None, "test.outside", '{"seconds": 4}') for _ in range(4)]
    wait_for(lambda: all(scheduled.batch(batch_id).started_at for batch_id in busy), within=20)
    batch_id = scheduled.submit(0.5, "limits.slow")
    assert 0 <= scheduled.delay(batch_id) < 2
    assert not all(scheduled.batch(one).finished_at for one in busy)


def test_it_can_be_changed_and_canceled_until_then(scheduled: Scheduled) -> None:
    sooner, later, canceled = (scheduled.submit(seconds) for seconds in (3600, 1, 1))
    soon = datetime.now(UTC) + timedelta(seconds=1)
    hence = datetime.now(UTC) + timedelta(hours=1)
    amend(scheduled.engine, scheduled.client_id, sooner, {"scheduled_at": soon})
    amend(scheduled.engine, scheduled.client_id, later, {"scheduled_at": hence})
    act(scheduled.engine, scheduled.client_id, canceled, "cancel")
    assert 0 <= scheduled.delay(sooner) < 2
    assert scheduled.batch(later).status == "SCHEDULED"
    assert scheduled.batch(canceled).status == "CANCELED"
    assert scheduled.batch(canceled).started_at is None


def test_it_outlasts_an_outage_of_beat(stack: Stack, scheduled: Scheduled) -> None:
    stack.processes["beat"].stop()
    batch_id = scheduled.submit(0.5)
    wait_for(lambda: scheduled.batch(batch_id).scheduled_at < datetime.now(UTC))
    stack.start("beat")
    began = datetime.now(UTC)
    scheduled.delay(batch_id)
    assert scheduled.batch(batch_id).started_at - began < timedelta(seconds=10)
