"""A database and a broker of this folder's own, on which processes of two releases run."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret, create_client
from app.core.settings import Settings
from app.db import make_engine
from app.db.migrations import upgrade
from tests.conftest import fresh_database


@pytest.fixture(scope="module")
def own_settings(settings: Settings, postgres_url: str) -> Iterator[Settings]:
    """Servers that no other worker looks at."""
    with fresh_database(postgres_url) as url:
        redis_url = f"{(settings.redis_url or '').rsplit('/', 1)[0]}/11"
        yield settings.with_servers(database_url=url, redis_url=redis_url)


@pytest.fixture(scope="module")
def own_engine(own_settings: Settings) -> Iterator[Engine]:
    """An engine on that database, migrated."""
    engine = make_engine(own_settings.database_url or "", name="batchline-tests")
    upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def own_client(own_engine: Engine) -> ClientSecret:
    """A client there."""
    return create_client(own_engine, f"test {uuid4()}")
