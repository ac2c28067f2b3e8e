"""A web process of the module's own, so that its neighbours in the session notice nothing."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from app.core.settings import Settings
from tests.support.stack import Stack, running_stack, wait_for


@pytest.fixture(scope="module")
def web(settings: Settings) -> Iterator[Stack]:
    """One web process, and no workers: what is submitted stays as it is."""
    with running_stack(settings, processes=()) as stack:
        stack.start("web")
        wait_for(lambda: _answers(stack.url), what=stack.tail)
        yield stack


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=5).is_success
    except httpx.HTTPError:
        return False
