"""A client whose operations have breakers, and what they need."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from app.core.settings import Settings
from handlers import Registry
from tests.engine.breaking import OF, Downstream, registry_with
from tests.engine.rig import Rig


@pytest.fixture
def downstream() -> Downstream:
    return Downstream()


@pytest.fixture
def rig(
    rig_engine: Engine, rig_settings: Settings, rig_registry: Registry, downstream: Downstream
) -> Rig:
    return Rig(rig_engine, rig_settings, registry_with(downstream, rig_registry, of=OF))
