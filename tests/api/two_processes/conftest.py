"""A web process of two on a database that nobody works on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret
from app.core.settings import Settings
from tests.api.two_processes.processes import answers, processes
from tests.support.stack import Stack, running_stack, wait_for


@pytest.fixture(scope="module")
def engine(own_engine: Engine) -> Engine:
    """On a database that the session's workers do not look at."""
    return own_engine


@pytest.fixture
def client(own_client: ClientSecret) -> ClientSecret:
    """A client there."""
    return own_client


@pytest.fixture(scope="module")
def pair(own_settings: Settings, engine: Engine) -> Iterator[Stack]:
    """A web process of two, and no workers: what is submitted stays as it is."""
    with running_stack(own_settings, processes=(), extra={"WEB_WORKERS": "2"}) as stack:
        stack.start("web")
        wait_for(lambda: len(processes(stack)) == 2 and answers(stack), what=stack.tail)
        yield stack
