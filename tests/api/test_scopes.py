"""Every route with every scope: exactly one lets a request in, beside `admin` where it is said.

Routes are taken from the application, so that one that is added has to be said here.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from flask import Flask
from sqlalchemy import Engine

from app.clients.checks import ADMIN, SCOPES
from app.clients.credentials import ClientSecret
from app.clients.keys import create_key
from tests.api.test_wrong_credentials import Route, routes, send
from tests.dialects.facts import FACTS

# By the beginning of the path, the longest that fits: who reads, who changes, and whether `admin`
# is enough. None: nobody but an admin.
NATIVE: Mapping[str, tuple[str | None, str | None, bool]] = {
    "/v1/batches": ("batches.read", "batches.write", True),
    "/v1/operations": ("batches.read", None, True),  # to open and close: for `admin` alone
    "/v1/limits": ("batches.read", None, True),
    "/v1/records": ("batches.read", None, False),
    "/v1/audit": ("batches.read", None, True),
    "/v1/failures": ("batches.read", None, True),
    "/v1/webhooks": ("webhooks.manage", "webhooks.manage", False),
    "/v1/clients": (None, None, True),
}
# Nilo has scopes of its own to read by; with all other dialects it is as natively.
NILO = {"detail": "supplier/batch.read", "status": "supplier/bulk.read"}


def expected(route: Route) -> set[str]:
    """The scopes each of which is enough."""
    reads = route.method == "GET"
    if route.path == "/v1/me":
        return {*SCOPES}
    if route.dialect is not None:
        own = NILO.get(route.path.rpartition("/")[2]) if route.dialect == "nilo" else None
        return {(own or "batches.read") if reads else "batches.write"}
    beginning = max((each for each in NATIVE if route.path.startswith(each)), key=len)
    reading, changing, by_admin = NATIVE[beginning]
    if (route.method, route.path) == ("POST", "/v1/batches"):
        by_admin = False
    return {
        scope for scope in (reading if reads else changing, ADMIN if by_admin else None) if scope
    }


@pytest.mark.parametrize("scope", SCOPES)
def test_a_scope_opens_its_own_routes_and_no_other(
    app: Flask, engine: Engine, client: ClientSecret, scope: str
) -> None:
    key = create_key(engine, client.client_id, scopes=[scope])
    opened = 0
    for route in routes(app):
        answer = send(app, route, route.headers(key.api_key, key.secret))
        assert (answer.status_code != 403) is (scope in expected(route)), (route, answer.text)
        opened += answer.status_code != 403
    assert opened > 1


def test_the_papers_of_the_dialects_say_the_same(app: Flask) -> None:
    told = {(call.method, call.scope) for facts in FACTS.values() for call in facts.calls}
    assert {scope for _, scope in told} == set(SCOPES) - {ADMIN, "webhooks.manage"}


def test_no_answer_to_a_key_is_for_another(
    app: Flask, engine: Engine, client: ClientSecret
) -> None:
    """Caches between know of `Authorization`, and nothing of the headers of some dialects."""
    key = create_key(engine, client.client_id, scopes=list(SCOPES))
    looked_at = 0
    for route in routes(app):
        answer = send(app, route, route.headers(key.api_key, key.secret))
        said = answer.headers.get("Cache-Control", "")
        assert said in ("no-store", "private, no-cache"), (route, said)
        assert said == "no-store" or route.method == "GET", route
        looked_at += route.method == "GET"
    assert looked_at > 20
