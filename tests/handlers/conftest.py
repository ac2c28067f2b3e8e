"""A transaction for handlers that is rolled back, and batches driven through the real engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.handlers.calling import HandlerContext


@pytest.fixture
def context(engine: Engine) -> Iterator[HandlerContext]:
    """A context of a client of the test's own; nothing of it is kept."""
    with engine.connect() as connection, connection.begin() as transaction:
        yield HandlerContext(connection)
        transaction.rollback()
