"""No call of a dialect is answered without credentials that are whole, right, alive and enough."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from app.clients.checks import SCOPES
from app.clients.credentials import (
    ClientSecret,
    create_client,
    revoke_client,
    rotate_client,
)
from app.dialects import DIALECTS
from app.dialects.common.dialect import Dialect
from tests.dialects.facts import FACTS
from tests.dialects.facts.kinds import Call, Headers
from tests.support.stack import wait_for

every_call = pytest.mark.parametrize(
    ("dialect", "call"),
    [(name, call) for name, facts in FACTS.items() for call in facts.calls],
    ids=str,
)
first_call = pytest.mark.parametrize(
    ("dialect", "call"), [(name, facts.calls[0]) for name, facts in FACTS.items()], ids=str
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
    FACTS[dialect].refused.said(response, status)
    assert ("WWW-Authenticate" in response.headers) == (status == 401)


@every_call
def test_every_header_is_needed(send: Send, client: ClientSecret, dialect: str, call: Call) -> None:
    right = FACTS[dialect].headers(client.api_key, client.secret)
    assert_refused(send(call, {}), dialect, 401)
    for name in right:
        rest = {other: value for other, value in right.items() if other != name}
        assert_refused(send(call, rest), dialect, 401)
        assert_refused(send(call, {**right, name: ""}), dialect, 401)
    assert send(call, right).status_code not in (401, 403)


@every_call
def test_the_scope_is_needed(send: Send, engine: Engine, dialect: str, call: Call) -> None:
    lacking = create_client(
        engine, f"lacking {uuid4()}", [scope for scope in SCOPES if scope != call.scope]
    )
    headers = FACTS[dialect].headers(lacking.api_key, lacking.secret)
    refused = send(call, headers)
    assert_refused(refused, dialect, 403)
    assert call.scope in refused.get_data(as_text=True)


@every_call
def test_that_scope_is_enough(send: Send, engine: Engine, dialect: str, call: Call) -> None:
    having = create_client(engine, f"having {uuid4()}", [call.scope])
    headers = FACTS[dialect].headers(having.api_key, having.secret)
    assert send(call, headers).status_code not in (401, 403)


@first_call
def test_wrong_swapped_and_mixed(
    send: Send, client: ClientSecret, other: ClientSecret, dialect: str, call: Call
) -> None:
    headers = FACTS[dialect].headers
    refused = [
        headers(client.api_key, "bls_wrong"),
        headers(client.api_key, client.secret + "x"),
        headers(client.api_key, "bls_ \udcff".encode("utf-8", "replace").decode()),
        headers(client.secret, client.api_key),
    ]
    if len(headers(client.api_key, client.secret)) > 1:
        # Both have to belong to the same client.
        refused += [
            headers("blk_wrong", client.secret),
            headers(other.api_key, client.secret),
            headers(client.api_key, other.secret),
        ]
    for wrong in refused:
        assert_refused(send(call, wrong), dialect, 401)


@first_call
def test_revoked_and_rotated(
    send: Send, engine: Engine, client: ClientSecret, dialect: str, call: Call
) -> None:
    headers = FACTS[dialect].headers
    rotated = rotate_client(engine, client.client_id)
    assert_refused(send(call, headers(client.api_key, client.secret)), dialect, 401)
    assert send(call, headers(rotated.api_key, rotated.secret)).status_code < 300
    revoke_client(engine, client.client_id)
    right = headers(rotated.api_key, rotated.secret)
    # Credentials are kept for a second (tests/api/test_recent_callers.py).
    wait_for(lambda: send(call, right).status_code == 401, within=1.5)
    assert_refused(send(call, right), dialect, 401)


def test_nilo_takes_the_secret_with_or_without_the_scheme(send: Send, client: ClientSecret) -> None:
    call = FACTS["nilo"].calls[0]
    for authorization in (client.secret, f"Bearer {client.secret}", f"bearer  {client.secret} "):
        headers = {"x-api-key": client.api_key, "Authorization": authorization}
        assert send(call, headers).status_code == 202
    headers = {"x-api-key": client.api_key, "Authorization": f"Basic {client.secret}"}
    assert_refused(send(call, headers), "nilo", 401)


@pytest.mark.parametrize("dialect", [name for name, facts in FACTS.items() if facts.bearer])
def test_bearers_need_the_scheme(send: Send, client: ClientSecret, dialect: str) -> None:
    call = FACTS[dialect].calls[0]
    headers = FACTS[dialect].headers(client.api_key, client.secret)
    for authorization in (client.secret, f"Token {client.secret}", "Bearer", "Bearer "):
        assert_refused(send(call, {**headers, "Authorization": authorization}), dialect, 401)


@pytest.mark.parametrize("dialect", FACTS)
def test_credentials_of_one_dialect_do_not_serve_in_another(
    send: Send, client: ClientSecret, dialect: str
) -> None:
    call = FACTS[dialect].calls[0]
    for other in FACTS:
        headers = FACTS[other].headers(client.api_key, client.secret)
        if not FACTS[dialect].headers("k", "s").items() <= FACTS[other].headers("k", "s").items():
            assert send(call, headers).status_code == 401, other


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_every_route_of_a_dialect_is_called_here(application: Flask, dialect: Dialect) -> None:
    """A path that is added to a dialect has to be added to these tests."""
    adapter = application.url_map.bind("localhost")
    called = {
        adapter.match(call.path.partition("?")[0], method=call.method)[0]
        for call in FACTS[dialect.name].calls
    }
    rules = [
        rule
        for rule in application.url_map.iter_rules()
        if rule.endpoint.startswith(f"{dialect.blueprint.name}.")
    ]
    assert called == {rule.endpoint for rule in rules}
    assert all(rule.rule.startswith(dialect.prefixes) for rule in rules)
