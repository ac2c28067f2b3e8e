"""The application in this process, on the session's database, and clients that speak to it.

Batches that have to run are run by the session's stack of real processes.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine

from app.clients import ClientSecret, create_client
from app.settings import Settings
from app.wsgi import create_app
from tests.dialects.speaking import Speaker


@pytest.fixture(scope="session")
def application(settings: Settings) -> Flask:
    """The web process's application."""
    return create_app(settings)


@pytest.fixture
def other(engine: Engine) -> ClientSecret:
    """Another client, with every scope."""
    return create_client(engine, f"other {uuid4()}")


@pytest.fixture
def speak(application: Flask, client: ClientSecret) -> Callable[..., Speaker]:
    """`speak("nilo")`: the test's client, in that dialect; `speak("nilo", other)`: another."""

    def as_(dialect: str, who: ClientSecret | None = None, app: Flask | None = None) -> Speaker:
        return Speaker((app or application).test_client(), who or client, dialect)

    return as_
