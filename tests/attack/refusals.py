"""Requests that are to be refused, or to show nothing of another's: each route, each wrong caller.

Routes are taken from the application, by the tests that ask the same of it without a server.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Flask
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret
from app.clients.keys import create_key
from tests.api.test_anothers_ids import nobodys, requests
from tests.api.test_wrong_credentials import Route, routes, wrong_keys
from tests.attack.theirs import Theirs
from tests.console.test_every_route import FIELDS, OPEN, path_of, routes_of
from tests.dialects.facts import FACTS

ANYTHING = frozenset(range(200, 500))
NOT_THERE = frozenset({403, 404})
# What stands in the documents' own examples of paths where an id has to be.
_PLACES = {
    "nilo": "01900000-0000-7000-8000-000000000000",
    "gameball": "01900000-0000-7000-8000-000000000000",
    "quartile": "5349b4ddd2781d08c09890f3",
    "kibo": "none",
    "fluent": "999999999",
}
_THEIRS = {"batch_id", "check_id", "webhook_id"}


@dataclass(frozen=True)
class Case:
    """A request, and the statuses of which it may be answered one. `why`: who asks."""

    why: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None
    expected: frozenset[int]

    def __str__(self) -> str:
        return f"{self.method} {self.path} by {self.why}"


@dataclass(frozen=True)
class Session:
    """Somebody at the console. `good`: whether they are signed in."""

    why: str
    cookie: str
    token: str
    good: bool


def wrong_credentials(
    app: Flask, engine: Engine, theirs: Theirs, stranger: ClientSecret
) -> Iterator[Case]:
    """Each route of each API with each kind of credentials that are not good, or have no scope."""
    wrong = wrong_keys(engine, theirs.client)
    bare = create_key(engine, theirs.client.client_id, scopes=[])
    for route in routes(app):
        yield _small(route, "nobody", {}, 401)
        for why, (api_key, secret) in wrong.items():
            yield _small(route, f"a wrong key: {why}", route.headers(api_key, secret), 401)
        if len(route.headers("a", "b")) > 1:
            mixed = route.headers(theirs.client.api_key, stranger.secret)
            yield _small(route, "a stranger with another's api key", mixed, 401)
        without = 200 if route.path == "/v1/me" else 403
        headers = route.headers(bare.api_key, bare.secret)
        yield _small(route, "a key without scopes", headers, without)


def _small(route: Route, why: str, headers: Mapping[str, str], status: int) -> Case:
    body = b"{}" if route.method in ("POST", "PUT", "PATCH") else None
    sent = {**headers, "Content-Type": "application/json"}
    return Case(why, route.method, route.path, sent, body, frozenset({status}))


def anothers_ids(app: Flask, theirs: Theirs, stranger: ClientSecret) -> Iterator[Case]:
    """Each native route with another's ids, by a client that has every scope but `admin`."""
    headers = {"Authorization": f"Bearer {stranger.secret}", "Content-Type": "application/json"}
    pairs = zip(requests(app, theirs.ids), requests(app, nobodys(theirs.ids)), strict=True)
    for (method, path, body), (_, unknown, _) in pairs:
        sent = None if body is None else json.dumps(body).encode()
        expected = ANYTHING if path == unknown else NOT_THERE
        yield Case("a stranger", method, path, headers, sent, expected)
        if method == "GET" and path == unknown:
            path = f"{path}?client={theirs.client.client_id}"
            yield Case("a stranger who names another", method, path, headers, None, ANYTHING)


def anothers_references(theirs: Theirs, stranger: ClientSecret) -> Iterator[Case]:
    """Each call of a dialect that names something, with another's ids in that dialect."""
    for dialect, facts in FACTS.items():
        place = _PLACES[dialect]
        for call in facts.calls:
            path = call.path
            for reference in theirs.references[dialect]:
                path = path.replace(place, reference, 1 if dialect == "fluent" else -1)
            if path == call.path:
                continue
            headers = facts.headers(stranger.api_key, stranger.secret)
            body = None if call.body is None else json.dumps(call.body).encode()
            sent = {**headers, "Content-Type": "application/json"}
            yield Case(f"a stranger by {dialect}", call.method, path, sent, body, NOT_THERE)


def at_the_console(app: Flask, theirs: Theirs, session: Session) -> Iterator[Case]:
    """Each address of the console with another's ids; forms name another's batch, too."""
    ids = {name: str(value) for name, value in theirs.ids.items()} | {"action": "cancel"}
    headers = {"Cookie": session.cookie, "Content-Type": "application/x-www-form-urlencoded"}
    form: dict[str, Any] = {**FIELDS, "id": ids["batch_id"], "csrf": session.token}
    for method, name, rule in routes_of(app):
        if name in OPEN or "sign-out" in name:
            continue
        body = urlencode(form).encode() if method == "POST" else None
        expected = ANYTHING
        if not session.good:
            expected = frozenset({403} if body else {200, 303})
        elif _THEIRS & rule.arguments:
            expected = NOT_THERE
        yield Case(session.why, method, path_of(app, rule, ids), headers, body, expected)
