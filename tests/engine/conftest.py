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
def rig_engine(postgres_url: str) -> Iterator[Engine]:
    """An engine on a migrated database that no process but the test works on."""
    with engine_of_its_own(postgres_url) as engine:
        yield engine


@pytest.fixture(scope="session")
def rig_registry() -> Registry:
    """The shipped operations, the tests' own, and those that keep a log."""
    return load_handlers([TEST_HANDLERS, "tests.engine.operations"])


@pytest.fixture(scope="session")
def rig_settings(settings: Settings) -> Settings:
    """Settings with small slices."""
    return replace(settings, max_slice_items=5)


@pytest.fixture
def rig(rig_engine: Engine, rig_settings: Settings, rig_registry: Registry) -> Rig:
    """A client of the test's own, and the engine in its hands."""
    rig = Rig(rig_engine, rig_settings, rig_registry)
    # What an item cost while the machine was busy must not size another test's slices.
    rig.run("DELETE FROM operation_costs")
    return rig
