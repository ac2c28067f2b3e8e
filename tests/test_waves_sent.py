"""What stays in a process, and in Redis, of the waves that it has sent."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery
from celery.result import ResultBase
from redis import Redis

from app.core.settings import load_settings
from app.local.servers import Server, start_valkey
from app.messaging.broker import FAST_QUEUE, configure
from handlers import Registry
from workers.engine.plan.chords import send_wave
from workers.engine.planned_slice import PlannedSlice

pytestmark = pytest.mark.usefixtures("own_processes")
WAVES, SLICES = 20, 5


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own."""
    with start_valkey(tmp_path) as server:
        yield server


def test_nothing_but_the_messages_and_the_counts(valkey: Server, registry: Registry) -> None:
    celery = Celery("sender", set_as_current=False)
    configure(celery, load_settings({"REDIS_URL": valkey.url}))
    planned = [
        (number, PlannedSlice(number, number, 1, FAST_QUEUE, "test.probe"))
        for number in range(SLICES)
    ]
    for wave in range(WAVES):
        send_wave(celery, registry, uuid4(), wave, planned)
    with Redis.from_url(valkey.url) as redis:
        assert redis.llen(FAST_QUEUE) == WAVES * SLICES
        assert redis.pubsub_channels("*task-meta*") == []
    gc.collect()
    assert [one for one in gc.get_objects() if isinstance(one, ResultBase)] == []
    pools: list[Any] = [celery.amqp.producer_pool, celery.pool]
    for pool in pools:
        pool.force_close_all()
