"""Everything here starts processes of its own."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _own_processes(own_processes: None) -> None:
    """They may leave none behind."""
