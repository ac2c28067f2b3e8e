"""Errors: one shape, whatever went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import marshmallow as ma
import pytest
from flask import Flask, Response, abort

from app.clients.credentials import ClientSecret
from app.core.errors import FieldError, Invalid, TooMany, WrongState
from app.core.settings import Settings
from app.local.servers.ports import free_port
from app.web.problems import ProblemDetails, render_errors_under
from tests.api.conftest import Caller
from tests.support.application import application


@pytest.fixture
def running_app(settings: Settings) -> Iterator[Flask]:
    """One of the test's own, to add views to."""
    with application(settings) as app:
        yield app


@pytest.fixture
def broken(running_app: Flask) -> Flask:
    """An application with views that go wrong."""
    app = running_app

    @app.get("/broken/bug")
    def bug() -> str:
        raise ValueError("the inside, which nobody is to see")

    @app.get("/broken/state")
    def state() -> str:
        raise WrongState("The batch is RUNNING.")

    @app.get("/broken/many")
    def many() -> str:
        raise TooMany("Slow down.", retry_after=7)

    @app.get("/broken/field")
    def field() -> str:
        raise Invalid("Bad.", errors=[FieldError("/items/3/sku", "Missing.")])

    @app.get("/broken/schema")
    def schema() -> str:
        raise ma.ValidationError({"items": {3: {"a/b~c": ["Missing."]}}, "_schema": ["Odd."]})

    @app.get("/broken/teapot")
    def teapot() -> str:
        abort(418)

    @app.get("/other/bug")
    def other_bug() -> str:
        raise ValueError("inside")

    return app


def test_an_unknown_path_is_a_problem(api: Caller) -> None:
    assert api.get("/nothing/here").status_code == 404
    assert api.get("/v1/batches/").status_code == 404


def test_a_method_that_a_path_does_not_take_names_those_it_does(api: Caller) -> None:
    answer = api.send("DELETE", "/v1/batches")
    assert answer.status_code == 405
    assert {"GET", "POST"} <= set(answer.headers["Allow"].replace(" ", "").split(","))


def test_a_bug_is_a_500_that_tells_nothing(broken: Flask) -> None:
    answer = Caller(broken, None).get("/broken/bug")
    assert answer.status_code == 500
    assert "inside" not in answer.text


def test_errors_of_the_domain_keep_their_status_and_headers(broken: Flask) -> None:
    caller = Caller(broken, None)
    state = caller.get("/broken/state")
    assert (state.status_code, state.json["detail"]) == (409, "The batch is RUNNING.")
    many = caller.get("/broken/many")
    assert (many.status_code, many.headers["Retry-After"]) == (429, "7")
    assert caller.get("/broken/teapot").status_code == 418


def test_fields_at_fault_are_pointed_at(broken: Flask) -> None:
    caller = Caller(broken, None)
    assert caller.get("/broken/field").json["errors"] == [
        {"pointer": "/items/3/sku", "message": "Missing."}
    ]
    assert caller.get("/broken/schema").json["errors"] == [
        {"pointer": "/items/3/a~1b~0c", "message": "Missing."},
        {"pointer": "", "message": "Odd."},
    ]


def test_a_prefix_may_have_a_shape_of_its_own(broken: Flask) -> None:
    def render(problem: ProblemDetails) -> Response:
        return Response(f"oh: {problem.status}", problem.status, mimetype="text/plain")

    render_errors_under(broken, "/other", render)
    client = broken.test_client()
    for path, status in (("/other/bug", 500), ("/other/nothing", 404), ("/other", 404)):
        answer = client.get(path)
        assert (answer.status_code, answer.text) == (status, f"oh: {status}")
    assert client.post("/other/bug").text == "oh: 405"
    assert client.get("/others").mimetype == "application/problem+json"


def test_without_postgres_it_is_a_503_with_a_time_to_come_back(
    settings: Settings, client: ClientSecret
) -> None:
    away = f"postgresql+psycopg2://postgres@127.0.0.1:{free_port()}/none"
    with application(replace(settings, database_url=away)) as app:
        answer = Caller(app, client).get("/v1/batches")
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert Caller(app, client).get("/healthz").status_code == 200
