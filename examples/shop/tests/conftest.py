"""A database with this package's tables, in a transaction that every test throws away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from shop.migrations import upgrade
from sqlalchemy import Connection, Engine

from batchline.testing import database


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    with database() as engine:
        upgrade(engine)
        yield engine


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()
