"""The application in this process, on the session's database, and clients that speak to it.

Batches that have to run are run by the session's stack of real processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine, func, select

from app.clients.credentials import ClientSecret, create_client
from app.core.settings import Settings
from app.db.models import Batch, Item
from handlers import Registry
from tests.dialects.sending import Kept, Sender, sender_to
from tests.dialects.speaking import Speaker, ended, held
from tests.support.application import application as running_application
from tests.support.stack import Stack


@pytest.fixture(scope="session")
def application(settings: Settings) -> Iterator[Flask]:
    """The web process's application."""
    with running_application(settings) as made:
        yield made


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


Hold = Callable[..., str]


@pytest.fixture
def hold(engine: Engine, registry: Registry, client: ClientSecret) -> Hold:
    """`hold("nilo", "catalog.price", items, "PAUSED")`: a batch that stays so; its reference."""

    def hold(dialect: str, operation: str, items: list[str], status: str = "OPEN") -> str:
        return held(engine, registry, client, dialect, operation, items, status)

    return hold


Finish = Callable[[str, str], dict[str, Any]]


@pytest.fixture
def finish(stack: Stack, client: ClientSecret) -> Finish:
    """`finish("nilo", uuid)`: the batch as `/v1` shows it, once the workers have ended it."""
    return partial(ended, stack, client)


@pytest.fixture
def record(stack: Stack, client: ClientSecret) -> Callable[[str, str], Any]:
    """`record("price", "A:1")`: the data of what is stored there; None for nothing."""

    def record(collection: str, key: str) -> Any:
        with stack.http(client) as http:
            response = http.get(f"/v1/records/{collection}/{quote(key, safe='')}")
        return None if response.status_code == 404 else response.raise_for_status().json()["data"]

    return record


@pytest.fixture
def kept(engine: Engine, client: ClientSecret) -> Kept:
    """How many batches and items the client has."""

    def kept() -> tuple[int, int]:
        with engine.connect() as connection:
            batches = connection.execute(
                select(func.count()).where(Batch.client_id == client.client_id)
            ).scalar_one()
            items = connection.execute(
                select(func.count())
                .select_from(Item)
                .join(Batch, Batch.id == Item.batch_id)
                .where(Batch.client_id == client.client_id)
            ).scalar_one()
        return batches, items

    return kept


@pytest.fixture
def sender(dialect: str, speak: Callable[..., Speaker], application: Flask) -> Sender:
    """A sender of the test's client to the application with its usual limits."""
    return sender_to(application, speak, dialect)
