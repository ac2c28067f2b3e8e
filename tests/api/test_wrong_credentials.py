"""Every route of every API, with every kind of credentials that are not good.

Routes are taken from the application, so that one that is added is looked at too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.clients.credentials import (
    ClientSecret,
    create_client,
    hash_secret,
    new_api_key,
    revoke_client,
    rotate_client,
)
from app.clients.keys import create_key, revoke_key
from app.core.settings import Settings
from tests.api.conftest import Answer, make_app
from tests.dialects.facts import FACTS

OPEN = {"/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/"}
Headers = dict[str, str]


@dataclass(frozen=True)
class Route:
    """A method of a path; `dialect`: whose headers it wants, None for a bearer."""

    method: str
    path: str
    dialect: str | None

    def headers(self, api_key: str, secret: str) -> Headers:
        """Those that carry the credentials."""
        if self.dialect is not None:
            return dict(FACTS[self.dialect].headers(api_key, secret))
        return {"Authorization": f"Bearer {secret}"}


def routes(app: Flask) -> Iterator[Route]:
    """All that want credentials."""
    for rule in app.url_map.iter_rules():
        blueprint = rule.endpoint.partition(".")[0]
        if rule.rule in OPEN or rule.rule.startswith(("/docs/", "/console")):
            continue
        values: dict[str, Any] = dict.fromkeys(rule.arguments, "1")
        values.update({name: UUID(int=7) for name in rule.arguments if name.endswith("_id")})
        if "action" in values:
            values["action"] = "start"
        _, path = rule.build(values)  # type: ignore[misc]
        for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
            yield Route(method, path, blueprint if blueprint in FACTS else None)


@pytest.fixture(scope="module")
def proxied(settings: Settings) -> Iterator[Flask]:
    """An application that believes no proxy, whatever the machine's environment says."""
    yield from make_app(settings)


def send(app: Flask, route: Route, headers: Headers) -> Answer:
    """The answer to a request whose body, if any, is a small object."""
    body: Any = {} if route.method in ("POST", "PUT", "PATCH") else None
    answer: Any = app.test_client().open(
        route.path, method=route.method, headers=headers, json=body
    )
    return answer  # type: ignore[no-any-return]


def wrong_keys(engine: Engine, client: ClientSecret) -> dict[str, tuple[str, str]]:
    """`apiKey` and secret of each kind that is not good any more, or not here."""
    key = create_key(engine, client.client_id)
    expired = create_key(engine, client.client_id, expires=timedelta(hours=1))
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE keys SET expires_at = now() WHERE id = :id"), {"id": expired.key_id}
        )
    revoked = create_key(engine, client.client_id)
    revoke_key(engine, revoked.key_id)
    gone = create_client(engine, f"gone {uuid4()}")
    of_gone = create_key(engine, gone.client_id)
    revoke_client(engine, gone.client_id)
    rotated = create_client(engine, f"rotated {uuid4()}")
    rotate_client(engine, rotated.client_id)
    elsewhere = create_key(engine, client.client_id, networks=["192.0.2.0/24"])
    named = {
        "expired": expired,
        "revoked": revoked,
        "of a revoked client": gone,
        "another of a revoked client": of_gone,
        "rotated": rotated,
        "from elsewhere": elsewhere,
    }
    return {
        **{kind: (each.api_key, each.secret) for kind, each in named.items()},
        "unknown": (new_api_key(), "bls_nobodys"),
        "the api key as secret": (key.api_key, key.api_key),
        "the hash as secret": (key.api_key, hash_secret(key.secret)),
        "the id as secret": (key.api_key, str(key.key_id)),
        "another case": (key.api_key, key.secret.swapcase()),
        "very long": (key.api_key, "x" * 5000),
        "not ASCII": (key.api_key, "bls_\xe9\xff"),
        "SQL": (key.api_key, "' OR '1'='1"),
    }


def test_none_is_answered(app: Flask) -> None:
    for route in routes(app):
        for headers in (
            {},
            dict.fromkeys(route.headers("x", "x"), ""),
            dict.fromkeys(route.headers("x", "x"), " "),
            {"Authorization": "Basic Ym9iOmJvYg=="},
            {"Authorization": "Bearer"},
            {"Cookie": "secret=bls_x"},
        ):
            assert send(app, route, headers).status_code == 401, (route, headers)


def test_no_wrong_key_is_good_and_all_are_refused_in_the_same_words(
    proxied: Flask, engine: Engine, client: ClientSecret
) -> None:
    wrong = wrong_keys(engine, client)
    inside = "192.0.2.7"
    spoofed = {"X-Forwarded-For": inside, "X-Real-IP": inside, "Forwarded": f"for={inside}"}
    found = list(routes(proxied))
    assert len(found) > 50
    assert {route.dialect for route in found} == {None, *FACTS}
    for route in found:
        said = {}
        for kind, (api_key, secret) in wrong.items():
            answer = send(proxied, route, {**route.headers(api_key, secret), **spoofed})
            assert answer.status_code == 401, (route, kind, answer.text)
            assert "WWW-Authenticate" in answer.headers
            said[answer.text] = kind
        assert len(said) == 1, (route, said)


def test_both_halves_belong_to_one_key(app: Flask, engine: Engine, client: ClientSecret) -> None:
    """An apiKey is its key's: one of the client's other keys does not do, nor another client's."""
    key = create_key(engine, client.client_id)
    other = create_client(engine, f"other {uuid4()}")
    for route in routes(app):
        if len(route.headers("a", "b")) < 2:
            continue
        for api_key in (client.api_key, other.api_key, new_api_key(), key.api_key.upper()):
            assert send(app, route, route.headers(api_key, key.secret)).status_code == 401, route
        assert send(app, route, route.headers(key.api_key, key.secret)).status_code != 401, route


SCOPES_ASKED: dict[str, Callable[[Route], bool]] = {
    "none": lambda route: route.path == "/v1/me",
    # A dialect knows nothing of admins, whose own batches they are not.
    "admin": lambda route: route.dialect is None and not _wants_more_than_admin(route),
}


def _wants_more_than_admin(route: Route) -> bool:
    return (route.method, route.path) == ("POST", "/v1/batches") or route.path.startswith(
        ("/v1/webhooks", "/v1/records")
    )


@pytest.mark.parametrize("scopes", SCOPES_ASKED)
def test_a_scope_is_needed(app: Flask, engine: Engine, client: ClientSecret, scopes: str) -> None:
    given = [] if scopes == "none" else [scopes]
    key = create_key(engine, client.client_id, scopes=given)
    for route in routes(app):
        answer = send(app, route, route.headers(key.api_key, key.secret))
        assert (answer.status_code != 403) is SCOPES_ASKED[scopes](route), (route, answer.text)
