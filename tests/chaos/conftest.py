"""Everything here starts processes of its own, and many tests share them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.processes import none_left_behind


@pytest.fixture(scope="module", autouse=True)
def own_processes() -> Iterator[None]:
    """A module's tests may leave none behind."""
    with none_left_behind():
        yield
