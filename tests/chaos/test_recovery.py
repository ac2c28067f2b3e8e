"""How soon work goes on, with a hundred unfinished batches among ten thousand ended ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.clients.credentials import create_client
from app.core.settings import Settings
from app.db import make_engine
from app.db.migrations import upgrade
from tests.chaos.recovery import ITEMS, measure
from tests.conftest import fresh_database


@pytest.mark.long
@pytest.mark.timeout(240)
def test_work_goes_on_within_the_bounds(settings: Settings, postgres_url: str) -> None:
    with fresh_database(postgres_url) as url:
        redis_url = f"{(settings.redis_url or '').rsplit('/', 1)[0]}/11"
        own = replace(
            settings.with_servers(database_url=url, redis_url=redis_url), heartbeat_timeout=3
        )
        engine = make_engine(url, name="batchline-tests")
        upgrade(engine)
        found = measure(own, engine, create_client(engine, "recovery"))
        engine.dispose()
    assert found.killed < 30
    assert found.frozen < 30
    assert found.flushed < 60
    assert found.unfinished > 20
    # Two children, two deaths: no more than the slices they held.
    assert found.tried_again <= 4 * ITEMS
