"""The Flask application on the session's real servers, and a client that speaks to it.

Batches here are mostly OPEN (`start: manual`), so that a stack that runs beside these tests lets
them be.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from app.clients.credentials import ClientSecret, create_client
from app.core.settings import Settings
from tests.support.application import application
from tests.support.described import check_described

ITEM = {"asin": "A1", "countryCode": "US", "percACoS": 2.7}
MASTERLIST = "operation=catalog.masterlist"


class Answer(TestResponse):
    """An answer whose body is looked into without asking first whether it is JSON."""

    json: Any


class Caller:
    """Requests with a client's secret. Each answer has to be one that the document describes."""

    def __init__(self, app: Flask, client: ClientSecret | None) -> None:
        self._app = app
        self._client = app.test_client()
        self._headers = {"Authorization": f"Bearer {client.secret}"} if client else {}
        self.client = client

    def send(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, **options: Any
    ) -> Answer:
        """Any request; options as werkzeug's client has them."""
        headers = {**self._headers, **(headers or {})}
        answer = cast(Answer, self._client.open(path, method=method, headers=headers, **options))
        if answer.status_code >= 400 and method != "HEAD":
            check_problem(answer)
        check_described(self._app, answer)
        return answer

    def get(self, path: str, **options: Any) -> Answer:
        """GET."""
        return self.send("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Answer:
        """POST; a body that is not bytes or text goes as JSON."""
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if body is not None:
            options.setdefault("content_type", "application/json")
        return self.send("POST", path, data=body, **options)

    def submit(self, body: Any, *, query: str = "", **options: Any) -> Answer:
        """POST /v1/batches."""
        return self.post(f"/v1/batches?{query}", body, **options)

    def opened(self, items: list[Any] | None = None, **fields: Any) -> str:
        """A new OPEN batch's id."""
        fields.setdefault("operation", "catalog.masterlist")
        answer = self.submit({"start": "manual", "items": items or [], **fields})
        assert answer.status_code == 202, answer.text
        return str(answer.json["id"])


def check_problem(answer: Answer) -> None:
    """Whatever goes wrong is told in one shape, and tells nothing of the inside."""
    assert answer.mimetype == "application/problem+json"
    problem = answer.json
    assert problem["status"] == answer.status_code
    assert all(isinstance(problem[name], str) for name in ("type", "title", "detail"))
    of_quotas = {"quota"} if problem["type"] == "urn:batchline:problem:quota" else set()
    assert problem.keys() - {"errors"} == {"type", "title", "status", "detail"} | of_quotas
    assert "Traceback" not in answer.text
    for error in problem.get("errors", []):
        assert error.keys() == {"pointer", "message"}
        assert error["pointer"] == "" or error["pointer"].startswith("/")


def make_app(settings: Settings) -> Iterator[Flask]:
    """An application, and its connections closed afterwards."""
    with application(settings) as app:
        yield app


@pytest.fixture(scope="session")
def app(settings: Settings) -> Iterator[Flask]:
    """The application."""
    yield from make_app(settings)


@pytest.fixture(scope="session")
def small_app(settings: Settings) -> Iterator[Flask]:
    """The application with limits that a test can reach."""
    yield from make_app(
        replace(
            settings,
            max_items_json=5,
            max_items_stream=8,
            max_item_bytes=300,
            max_body_bytes=4000,
            max_stream_bytes=8000,
            max_wait_seconds=1,
        )
    )


@pytest.fixture
def api(app: Flask, client: ClientSecret) -> Caller:
    """A client with every scope."""
    return Caller(app, client)


@pytest.fixture
def admin(app: Flask, engine: Engine) -> Caller:
    """A client with `admin` and nothing else."""
    return Caller(app, create_client(engine, f"admin {uuid4()}", ["admin"]))


@pytest.fixture
def small(small_app: Flask, client: ClientSecret) -> Caller:
    """The same client, where the limits are low."""
    return Caller(small_app, client)


@pytest.fixture
def rows(engine: Engine, client: ClientSecret) -> Any:
    """How many batches and items the client has."""

    def count() -> tuple[int, int]:
        with engine.connect() as connection:
            found = connection.execute(
                text(
                    """SELECT count(DISTINCT b.id), count(i.index) FROM batches b
                    LEFT JOIN items i ON i.batch_id = b.id WHERE b.client_id = :client"""
                ),
                {"client": client.client_id},
            ).one()
        return int(found[0]), int(found[1])

    return count
