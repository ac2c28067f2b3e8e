"""A web process of the module's own, so that its neighbours in the session notice nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret, create_client
from app.core.settings import Settings
from tests.support.stack import Stack, running_stack, wait_for


@contextmanager
def a_web_process(settings: Settings, *, before: str = "", **environ: str) -> Iterator[Stack]:
    """One web process, and no workers: what is submitted stays as it is.

    `before`: a shell's command that is executed first. `environ`: settings of its own.
    """
    with running_stack(settings, processes=(), extra=environ) as stack:
        stack.start("web", before=before)
        wait_for(lambda: _answers(stack.url), what=stack.tail)
        yield stack


@pytest.fixture(scope="module")
def web(settings: Settings) -> Iterator[Stack]:
    """With the usual settings."""
    with a_web_process(settings) as stack:
        yield stack


@pytest.fixture
def other(engine: Engine) -> ClientSecret:
    """Another client than `client`."""
    return create_client(engine, f"other {uuid4()}")


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=5).is_success
    except httpx.HTTPError:
        return False
