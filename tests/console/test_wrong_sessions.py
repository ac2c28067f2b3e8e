"""Every page of the console with every kind of cookie that is not good, and another's ids."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret, create_client, revoke_client, rotate_client
from app.clients.keys import create_key, revoke_key
from tests.console.conftest import Person, fields_of
from tests.webhooks.hooked import Hooked

OPEN = {("POST", "/console/sign-in"), ("GET", "/console/sign-in")}
ITEM = {"asin": "A1", "countryCode": "US", "percACoS": 2.7}
Route = tuple[str, str]


def routes(app: Flask, ids: dict[str, Any]) -> Iterator[Route]:
    """Every method of every page that wants somebody signed in, with these ids in its path."""
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/console") or rule.endpoint == "console.asset":
            continue
        values = {name: ids.get(name, "x") for name in rule.arguments}
        _, path = rule.build(values)  # type: ignore[misc]
        for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
            if (method, path) not in OPEN:
                yield method, path


def sent(person: Person, route: Route, fields: dict[str, str]) -> Any:
    method, path = route
    return person.get(path) if method == "GET" else person.post(path, fields)


@pytest.fixture
def theirs(app: Flask, engine: Engine) -> dict[str, Any]:
    """The ids of what another client has."""
    other = create_client(engine, f"other {uuid4()}")
    body = {"operation": "catalog.masterlist", "items": [ITEM], "start": "manual", "name": "theirs"}
    headers = {"Authorization": f"Bearer {other.secret}"}
    made = app.test_client().post("/v1/batches", json=body, headers=headers)
    dry = {**body, "dryRun": True}
    check = app.test_client().post("/v1/batches", json=dry, headers=headers)
    assert made.json is not None
    assert check.json is not None
    hooked = Hooked(engine, other, "http://127.0.0.1:1/")
    hooked.record()
    delivery = hooked.log()[0].id
    return {
        "batch_id": UUID(made.json["id"]),
        "check_id": UUID(check.json["id"]),
        "index": 0,
        "action": "cancel",
        "webhook_id": hooked.id,
        "delivery_id": delivery,
        "name": "catalog.masterlist",
    }


def cookies(app: Flask, engine: Engine, client: ClientSecret) -> dict[str, str]:
    """Of each kind that is not good any more, or never was."""
    kinds = {
        "revoked": create_key(engine, client.client_id),
        "expired": create_key(engine, client.client_id, expires=timedelta(hours=1)),
        "over": create_key(engine, client.client_id),
        "signed out": create_key(engine, client.client_id),
        "client revoked": create_client(engine, f"gone {uuid4()}"),
        "rotated": create_client(engine, f"rotated {uuid4()}"),
    }
    found = {}
    for number, (kind, key) in enumerate(kinds.items()):
        person = Person(app, f"203.0.113.{number + 1}")
        assert person.sign_in(key.secret).status_code == 303
        cookie = person.http.get_cookie("batchline_console", path="/console")
        assert cookie is not None
        found[kind] = cookie.value
        if kind == "signed out":
            person.fill(person.get("/console"), "/console/sign-out")
    revoke_key(engine, kinds["revoked"].key_id)
    revoke_client(engine, kinds["client revoked"].client_id)
    rotate_client(engine, kinds["rotated"].client_id)
    with engine.begin() as connection:
        for change in (
            "UPDATE keys SET expires_at = now() WHERE id = :expired",
            "UPDATE console_sessions SET expires_at = now() WHERE key_id = :over",
        ):
            connection.execute(
                text(change), {"expired": kinds["expired"].key_id, "over": kinds["over"].key_id}
            )
    return {
        **found,
        "the secret": client.secret,
        "made up": "x" * 43,
        "very long": "x" * 4000,
        "SQL": "' OR '1'='1",
    }


def test_no_page_is_shown_and_nothing_is_done(
    app: Flask, engine: Engine, client: ClientSecret, theirs: dict[str, Any]
) -> None:
    found = list(routes(app, theirs))
    assert len(found) > 25
    for kind, cookie in {**cookies(app, engine, client), "none": ""}.items():
        person = Person(app, "192.0.2.9")
        if cookie:
            person.http.set_cookie("batchline_console", cookie, path="/console")
        for route in found:
            answer = sent(person, route, {"csrf": "x", "action": "cancel", "confirmed": "yes"})
            if route == ("GET", "/console"):
                assert (answer.status_code, "Sign out" in answer.text) == (200, False), kind
            else:
                assert answer.status_code == (303 if route[0] == "GET" else 403), (kind, route)
            assert "theirs" not in answer.text, (kind, route)


def test_what_is_anothers_is_not_there(
    app: Flask, engine: Engine, person: Person, theirs: dict[str, Any]
) -> None:
    token = fields_of(person.get("/console").text, "/console/sign-out")["csrf"]
    fields = {"csrf": token, "action": "cancel", "confirmed": "yes", "index": "0", "input": "{}"}
    before = state(engine, theirs)
    looked_at = 0
    for route in routes(app, theirs):
        if not any(str(each) in route[1] for each in theirs.values() if isinstance(each, UUID)):
            continue
        looked_at += 1
        answer = sent(person, route, fields)
        assert answer.status_code == 404, route
        if route[0] == "GET" and route[1].endswith("/live"):
            # Asked by a page that was left open, which then loads anew.
            left_open = person.get(route[1], headers={"HX-Request": "true"})
            assert left_open.headers["HX-Refresh"] == "true", route
            assert "theirs" not in left_open.text
        assert "theirs" not in answer.text
    assert looked_at > 12
    several = person.post("/console/batches/act", {**fields, "id": str(theirs["batch_id"])})
    assert "There is no batch" in several.text
    assert state(engine, theirs) == before


def state(engine: Engine, theirs: dict[str, Any]) -> tuple[Any, ...]:
    """What somebody could have changed, and what the owner would be told of it.

    Of the delivery nothing: a worker beside this test tries it. Sent again, it is in the audit.
    """
    with engine.connect() as connection:
        return tuple(
            connection.execute(
                text(
                    "SELECT b.status, b.revision, w.secret, (SELECT count(*) FROM audit a "
                    "WHERE a.client_id = b.client_id) FROM batches b, webhooks w "
                    "WHERE b.id = :batch_id AND w.id = :webhook_id"
                ),
                theirs,
            ).one()
        )
