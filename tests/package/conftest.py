"""Batchline as others install it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.package.installing import ROOT, Environment, build


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Batchline's own wheel, built from this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    return build(ROOT, folder)


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment that has nothing of ours but the wheel."""
    return Environment(tmp_path_factory.mktemp("installed") / "venv", wheel)
