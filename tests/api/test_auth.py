"""Credentials and scopes, on every route."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine
from werkzeug.routing import Rule

from app.clients.credentials import ClientSecret, create_client, revoke_client, rotate_client
from tests.api.conftest import ITEM, Caller
from tests.support.stack import wait_for

BATCH = str(UUID(int=7))
# Credentials are kept for a second (tests/api/test_recent_callers.py).
WITHIN = 1.5


def _rules(app: Flask) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/v1/")]


def _path(rule: Rule) -> str:
    values = dict.fromkeys(rule.arguments, "1")
    values.update({name: BATCH for name in rule.arguments if name.endswith("_id")})
    if "action" in values:
        values["action"] = "start"
    _, path = rule.build(values)  # type: ignore[misc]
    return path


def test_every_native_route_wants_credentials(app: Flask) -> None:
    rules = _rules(app)
    assert len(rules) > 8
    for rule in rules:
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            answer = Caller(app, None).send(method, _path(rule))
            assert answer.status_code == 401, rule
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_every_native_route_wants_a_scope(app: Flask, engine: Engine) -> None:
    nobody = Caller(app, create_client(engine, f"nobody {uuid4()}", []))
    for rule in _rules(app):
        if rule.rule == "/v1/me":
            continue  # tells any key who it is
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            assert nobody.send(method, _path(rule)).status_code == 403, rule


def test_what_is_open_needs_none(app: Flask) -> None:
    caller = Caller(app, None)
    for path in ("/healthz", "/openapi.json", "/docs"):
        assert caller.get(path).status_code == 200


@pytest.mark.parametrize("slashes", ["//", "///"])
def test_no_page_is_found_beside_its_path(app: Flask, api: Caller, slashes: str) -> None:
    """A proxy that keeps some from the outside does so by the path that it is sent."""
    for path in ("metrics", "readyz", "healthz", "docs", "openapi.json", "v1/me", "v1/limits"):
        assert api.get(f"/{path}").status_code in (200, 503)
        # Not by `api`, whose own look at the answer would find the page.
        given = {"PATH_INFO": f"{slashes}{path}"}
        answer = api._client.get("/", headers=api._headers, environ_overrides=given)
        assert answer.status_code == 404, answer.text
        assert answer.headers["X-Request-Id"]


@pytest.mark.parametrize(
    "sent", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer wrong", "Bearer \xe9\xff", "bls_x"]
)
def test_wrong_credentials_are_401(app: Flask, sent: str) -> None:
    answer = Caller(app, None).get("/v1/limits", headers={"Authorization": sent})
    assert answer.status_code == 401


def test_a_rotated_or_revoked_secret_is_worth_nothing(
    app: Flask, engine: Engine, client: ClientSecret
) -> None:
    old = Caller(app, client)
    assert old.get("/v1/limits").status_code == 200
    new = Caller(app, rotate_client(engine, client.client_id))
    assert new.get("/v1/limits").status_code == 200
    wait_for(lambda: old.get("/v1/limits").status_code == 401, within=WITHIN)
    assert new.get("/v1/limits").status_code == 200
    revoke_client(engine, client.client_id)
    wait_for(lambda: new.get("/v1/limits").status_code == 401, within=WITHIN)


def test_reading_and_writing_are_scopes_apart(app: Flask, engine: Engine) -> None:
    reader = Caller(app, create_client(engine, f"reader {uuid4()}", ["batches.read"]))
    writer = Caller(app, create_client(engine, f"writer {uuid4()}", ["batches.write"]))
    body = {"operation": "catalog.masterlist", "start": "manual", "items": [ITEM]}
    assert reader.submit(body).status_code == 403
    made = writer.submit(body)
    assert made.status_code == 202
    assert writer.get(f"/v1/batches/{made.json['id']}").status_code == 403
    assert reader.get("/v1/batches").status_code == 200


def test_anothers_batch_is_as_good_as_none(app: Flask, api: Caller, engine: Engine) -> None:
    batch_id = api.opened([ITEM])
    other = Caller(app, create_client(engine, f"other {uuid4()}"))
    nothing = other.get(f"/v1/batches/{UUID(int=1)}")
    for method, path in (
        ("GET", ""),
        ("GET", "/items"),
        ("GET", "/items/0"),
        ("POST", "/cancel"),
        ("DELETE", ""),
    ):
        answer = other.send(method, f"/v1/batches/{batch_id}{path}")
        assert answer.status_code == 404
        assert answer.json.keys() == nothing.json.keys()
    assert other.post(f"/v1/batches/{batch_id}/items", [ITEM]).status_code == 404
    assert other.get("/v1/batches").json["data"] == []
    assert api.get(f"/v1/batches/{batch_id}/items").json["data"][0]["status"] == "PENDING"
