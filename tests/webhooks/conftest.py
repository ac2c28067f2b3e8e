"""A database of the webhook tests' own: no real worker may deliver what they leave due."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from app.db import make_engine
from app.db.migrations import upgrade
from tests.conftest import fresh_database


@pytest.fixture(scope="session")
def engine(postgres_url: str) -> Iterator[Engine]:
    """An engine on a migrated database that no process but the test works on."""
    with fresh_database(postgres_url) as url:
        engine = make_engine(url, name="batchline-tests", pool_size=20)
        upgrade(engine)
        yield engine
        engine.dispose()
