"""A database of the webhook tests' own: no real worker may deliver what they leave due."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.conftest import engine_of_its_own


@pytest.fixture(scope="session")
def engine(postgres_url: str) -> Iterator[Engine]:
    """An engine on a migrated database that no process but the test works on."""
    with engine_of_its_own(postgres_url) as engine:
        yield engine
