"""No call of a dialect is answered without credentials that are whole, right, alive and enough."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from app.clients.credentials import (
    SCOPES,
    ClientSecret,
    create_client,
    revoke_client,
    rotate_client,
)
from tests.dialects.calls import ALL_CALLS, Call
from tests.dialects.speaking import HEADERS, Headers

every_call = pytest.mark.parametrize("call", ALL_CALLS, ids=str)
first_call = pytest.mark.parametrize(
    "call",
    [next(call for call in ALL_CALLS if call.dialect == dialect) for dialect in HEADERS],
    ids=str,
)
Send = Callable[[Call, Headers], TestResponse]


@pytest.fixture
def send(application: Flask) -> Send:
    """Send a call with just these headers."""

    def send(call: Call, headers: Headers) -> TestResponse:
        return application.test_client().open(
            call.path, method=call.method, headers=headers, json=call.body
        )

    return send


def assert_refused(response: TestResponse, dialect: str, status: int) -> None:
    """The status, in the dialect's own shape of error."""
    assert response.status_code == status, response.data
    assert response.json is not None
    if dialect == "fluent":
        ((error),) = response.json["error"]
        assert error["code"] == str(status)
        assert error["message"].startswith({401: "Unauthorized", 403: "Forbidden"}[status])
    else:
        assert response.content_type == "application/problem+json"
        assert response.json["status"] == status
    assert ("WWW-Authenticate" in response.headers) == (status == 401)


@every_call
def test_every_header_is_needed(send: Send, client: ClientSecret, call: Call) -> None:
    right = HEADERS[call.dialect](client.api_key, client.secret)
    assert_refused(send(call, {}), call.dialect, 401)
    for name in right:
        rest = {other: value for other, value in right.items() if other != name}
        assert_refused(send(call, rest), call.dialect, 401)
        assert_refused(send(call, {**right, name: ""}), call.dialect, 401)
    assert send(call, right).status_code not in (401, 403)


@every_call
def test_the_scope_is_needed(send: Send, engine: Engine, call: Call) -> None:
    lacking = create_client(engine, "lacking", [scope for scope in SCOPES if scope != call.scope])
    headers = HEADERS[call.dialect](lacking.api_key, lacking.secret)
    refused = send(call, headers)
    assert_refused(refused, call.dialect, 403)
    assert call.scope in refused.get_data(as_text=True)


@every_call
def test_that_scope_is_enough(send: Send, engine: Engine, call: Call) -> None:
    having = create_client(engine, "having", [call.scope])
    headers = HEADERS[call.dialect](having.api_key, having.secret)
    assert send(call, headers).status_code not in (401, 403)


@first_call
def test_wrong_swapped_and_mixed(
    send: Send, client: ClientSecret, other: ClientSecret, call: Call
) -> None:
    headers = HEADERS[call.dialect]
    refused = [
        headers(client.api_key, "bls_wrong"),
        headers(client.api_key, client.secret + "x"),
        headers(client.api_key, "bls_ \udcff".encode("utf-8", "replace").decode()),
        headers(client.secret, client.api_key),
    ]
    if call.dialect not in ("kibo", "fluent"):
        # Both have to belong to the same client.
        refused += [
            headers("blk_wrong", client.secret),
            headers(other.api_key, client.secret),
            headers(client.api_key, other.secret),
        ]
    for wrong in refused:
        assert_refused(send(call, wrong), call.dialect, 401)


@first_call
def test_revoked_and_rotated(send: Send, engine: Engine, client: ClientSecret, call: Call) -> None:
    headers = HEADERS[call.dialect]
    rotated = rotate_client(engine, client.client_id)
    assert_refused(send(call, headers(client.api_key, client.secret)), call.dialect, 401)
    assert send(call, headers(rotated.api_key, rotated.secret)).status_code < 300
    revoke_client(engine, client.client_id)
    assert_refused(send(call, headers(rotated.api_key, rotated.secret)), call.dialect, 401)


def test_nilo_takes_the_secret_with_or_without_the_scheme(send: Send, client: ClientSecret) -> None:
    call = ALL_CALLS[0]
    for authorization in (client.secret, f"Bearer {client.secret}", f"bearer  {client.secret} "):
        headers = {"x-api-key": client.api_key, "Authorization": authorization}
        assert send(call, headers).status_code == 202
    headers = {"x-api-key": client.api_key, "Authorization": f"Basic {client.secret}"}
    assert_refused(send(call, headers), "nilo", 401)


@pytest.mark.parametrize("dialect", ["quartile", "kibo", "fluent"])
def test_the_others_want_the_scheme(send: Send, client: ClientSecret, dialect: str) -> None:
    call = next(call for call in ALL_CALLS if call.dialect == dialect)
    headers = HEADERS[dialect](client.api_key, client.secret)
    for authorization in (client.secret, f"Token {client.secret}", "Bearer", "Bearer "):
        assert_refused(send(call, {**headers, "Authorization": authorization}), dialect, 401)


@pytest.mark.parametrize("dialect", sorted(HEADERS))
def test_credentials_of_one_dialect_do_not_serve_in_another(
    send: Send, client: ClientSecret, dialect: str
) -> None:
    call = next(call for call in ALL_CALLS if call.dialect == dialect)
    for other in HEADERS:
        headers = HEADERS[other](client.api_key, client.secret)
        if not HEADERS[dialect]("k", "s").items() <= HEADERS[other]("k", "s").items():
            assert send(call, headers).status_code == 401, other


def test_every_route_of_a_dialect_is_called_here(application: Flask) -> None:
    """A path that is added to a dialect has to be added to these tests."""
    prefixes = ("/batch", "/amazon", "/platform", "/commerce", "/integrations", "/api/v4.1")
    adapter = application.url_map.bind("localhost")
    called = {
        adapter.match(call.path.partition("?")[0], method=call.method)[0] for call in ALL_CALLS
    }
    served = {
        rule.endpoint for rule in application.url_map.iter_rules() if rule.rule.startswith(prefixes)
    }
    assert called == served
