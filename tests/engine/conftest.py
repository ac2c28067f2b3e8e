"""A database of the engine tests' own: no real worker may sweep up what they leave lying."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from app.core.settings import Settings
from handlers import Registry
from handlers.load import load_handlers
from tests.conftest import TEST_HANDLERS, engine_of_its_own
from tests.engine.rig import Rig


@pytest.fixture(scope="session")
def rig_database(postgres_url: str) -> Iterator[Engine]:
    """An engine on a migrated database that no process but the test works on."""
    with engine_of_its_own(postgres_url) as engine:
        yield engine


@pytest.fixture
def rig_engine(rig_database: Engine) -> Engine:
    """The same, empty but for clients.

    What the tests before have left is gone: no sweep takes up their batches, no worker of theirs
    counts as alive, no breaker is open, and what an item cost while the machine was busy sizes
    nobody's slices.
    """
    with rig_database.begin() as connection:
        for table in ("batches", "workers", "breakers", "operation_costs"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    return rig_database


@pytest.fixture(scope="session")
def rig_registry() -> Registry:
    """The shipped operations, the tests' own, and those that keep a log."""
    return load_handlers([TEST_HANDLERS, "tests.engine.operations"])


@pytest.fixture(scope="session")
def rig_settings(settings: Settings) -> Settings:
    """Settings with small slices: five items, however slow the machine is."""
    return replace(settings, max_slice_items=5, slice_target_seconds=60.0)


@pytest.fixture
def rig(rig_engine: Engine, rig_settings: Settings, rig_registry: Registry) -> Rig:
    """A client of the test's own, and the engine in its hands."""
    return Rig(rig_engine, rig_settings, rig_registry)
