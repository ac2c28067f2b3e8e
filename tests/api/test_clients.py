"""/v1/clients and their keys: what the commands do, by HTTP, for admins."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine

from app.clients.checks import DEFAULT_SCOPES
from app.clients.credentials import ClientSecret, create_client, find_caller
from app.clients.keys import list_keys
from tests.api.conftest import Answer, Caller
from tests.support.stack import wait_for


def patch(caller: Caller, path: str, body: Any) -> Answer:
    return caller.send("PATCH", path, json=body)


def works(engine: Engine, secret: str) -> bool:
    with engine.connect() as connection:
        return find_caller(connection, secret) is not None


def test_the_life_of_a_client(admin: Caller, engine: Engine, app: Flask) -> None:
    name = f"shop {uuid4()}"
    made = admin.post("/v1/clients", {"name": name})
    assert made.status_code == 201
    assert made.json.keys() == {"clientId", "apiKey", "secret", "scopes", "keyId"}
    assert made.json["scopes"] == list(DEFAULT_SCOPES)
    assert made.headers["Cache-Control"] == "no-store"
    path = f"/v1/clients/{made.json['clientId']}"
    assert made.headers["Location"] == path
    assert works(engine, made.json["secret"])

    shown = admin.get(path).json
    assert (shown["name"], shown["apiKey"], shown["revokedAt"]) == (name, made.json["apiKey"], None)
    newest = admin.get("/v1/clients?limit=1").json
    assert newest["data"] == [shown]
    assert newest["next"]
    listed = admin.get(f"/v1/clients?cursor={newest['next']}").json["data"]
    assert shown["clientId"] not in [each["clientId"] for each in listed]
    assert made.json["secret"] not in str(shown)

    again = f"{name}, renamed"
    assert patch(admin, path, {"name": again}).json == {**shown, "name": again}
    assert admin.send("DELETE", path).status_code == 204
    assert not works(engine, made.json["secret"])
    assert admin.send("DELETE", path).status_code == 404
    assert patch(admin, path, {"name": name}).status_code == 404
    assert admin.get(path).json["revokedAt"]


def test_the_life_of_a_key(admin: Caller, engine: Engine, client: ClientSecret) -> None:
    path = f"/v1/clients/{client.client_id}/keys"
    asked = {
        "name": "till",
        "scopes": ["batches.read"],
        "expires": "90d",
        "networks": ["192.0.2.0/24"],
        "operations": ["catalog.*"],
    }
    made = admin.post(path, asked)
    assert made.status_code == 201
    assert made.json.keys() == {"clientId", "apiKey", "secret", "scopes", "keyId"}
    assert made.headers["Cache-Control"] == "no-store"
    assert made.headers["Location"] == f"{path}/{made.json['keyId']}"
    assert works(engine, made.json["secret"])

    page = admin.get(f"{path}?limit=1").json
    assert [each["keyId"] for each in page["data"]] == [str(client.key_id)]
    page = admin.get(f"{path}?limit=1&cursor={page['next']}").json
    assert page["next"] is None
    [shown] = page["data"]
    assert {name: shown[name] for name in asked if name != "expires"} == {
        name: value for name, value in asked.items() if name != "expires"
    }
    assert shown["expiresAt"] > shown["createdAt"]
    assert made.json["secret"] not in str(page)

    stranger = create_client(engine, f"stranger {uuid4()}").client_id
    of_a_stranger = f"/v1/clients/{stranger}/keys/{made.json['keyId']}"
    assert admin.send("DELETE", of_a_stranger).status_code == 404
    assert admin.send("DELETE", f"{path}/{made.json['keyId']}").status_code == 204
    assert not works(engine, made.json["secret"])
    assert admin.send("DELETE", f"{path}/{made.json['keyId']}").status_code == 404


def test_a_key_may_be_given_admin_by_an_admin(admin: Caller, client: ClientSecret) -> None:
    path = f"/v1/clients/{client.client_id}/keys"
    made = admin.post(path, {"scopes": ["admin", "batches.write"]})
    assert made.json["scopes"] == ["admin", "batches.write"]
    assert admin.post(path, {}).json["scopes"] == list(DEFAULT_SCOPES)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": 7}, "/name"),
        ({"name": "a\x00b"}, "/name"),
        ({"name": "x", "scopes": ["everything"]}, "/scopes"),
        ({"name": "x", "scopes": "batches.read"}, "/scopes"),
        ({"name": "x", "admin": True}, "/admin"),
    ],
)
def test_a_client_that_cannot_be(admin: Caller, body: dict[str, Any], pointer: str) -> None:
    before = admin.get("/v1/clients").json
    refused = admin.post("/v1/clients", body)
    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json["errors"]] == [pointer]
    assert admin.get("/v1/clients").json == before


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"expires": "tomorrow"}, "/expires"),
        ({"expires": 90}, "/expires"),
        ({"expires": "0s"}, "/expires"),
        ({"networks": ["192.0.2.0/24", "here"]}, "/networks/1"),
        ({"networks": [7]}, "/networks/0"),
        ({"operations": ["a b"]}, "/operations/0"),
        ({"scopes": ["everything"]}, "/scopes"),
        ({"name": ""}, "/name"),
        ({"first": True}, "/first"),
    ],
)
def test_a_key_that_cannot_be(
    admin: Caller, engine: Engine, client: ClientSecret, body: dict[str, Any], pointer: str
) -> None:
    refused = admin.post(f"/v1/clients/{client.client_id}/keys", body)
    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json["errors"]] == [pointer]
    assert len(list_keys(engine, client.client_id)) == 1


def test_a_name_is_one_clients(admin: Caller, engine: Engine) -> None:
    names = [f"shop {uuid4()}" for _ in range(2)]
    first, second = (create_client(engine, name).client_id for name in names)
    for refused in (
        admin.post("/v1/clients", {"name": names[0]}),
        patch(admin, f"/v1/clients/{second}", {"name": names[0]}),
    ):
        assert refused.status_code == 422
        assert [error["pointer"] for error in refused.json["errors"]] == ["/name"]
    assert patch(admin, f"/v1/clients/{first}", {"name": names[0]}).status_code == 200


def test_who_is_not_there(admin: Caller) -> None:
    path = f"/v1/clients/{UUID(int=7)}"
    for method, below, body in (
        ("GET", "", None),
        ("PATCH", "", {"name": "x"}),
        ("DELETE", "", None),
        ("GET", "/keys", None),
        ("POST", "/keys", {}),
        ("DELETE", f"/keys/{UUID(int=8)}", None),
    ):
        assert admin.send(method, path + below, json=body).status_code == 404, (method, below)


def test_an_answer_with_a_secret_is_not_kept(admin: Caller, client: ClientSecret) -> None:
    """So that it is not sent again either: the key is refused, not ignored."""
    key = {"Idempotency-Key": "once"}
    for path, body in (
        ("/v1/clients", {"name": f"shop {uuid4()}"}),
        (f"/v1/clients/{client.client_id}/keys", {}),
    ):
        assert admin.post(path, body, headers=key).status_code == 400
        assert admin.post(path, body).status_code == 201


def test_every_scope_but_admin_is_not_enough(app: Flask, engine: Engine) -> None:
    """Nor does one who has them find out who is there, or get more than it has."""
    mine = create_client(engine, f"all but admin {uuid4()}")
    caller = Caller(app, mine)
    for path in (f"/v1/clients/{mine.client_id}", f"/v1/clients/{UUID(int=7)}"):
        for method, below in (
            ("GET", ""),
            ("PATCH", ""),
            ("DELETE", ""),
            ("GET", "/keys"),
            ("POST", "/keys"),
            ("DELETE", f"/keys/{mine.key_id}"),
        ):
            body = {"name": "mine", "scopes": ["admin"]}
            answer = caller.send(method, path + below, json=body)
            assert answer.status_code == 403, (method, below)
    assert caller.get("/v1/clients").status_code == 403
    assert caller.post("/v1/clients", {"name": "x", "scopes": ["admin"]}).status_code == 403
    assert [key.scopes for key in list_keys(engine, mine.client_id)] == [DEFAULT_SCOPES]


def test_whoever_is_revoked_is_refused_within_a_second(
    admin: Caller, app: Flask, client: ClientSecret
) -> None:
    caller = Caller(app, client)
    assert caller.get("/v1/me").status_code == 200
    assert admin.send("DELETE", f"/v1/clients/{client.client_id}").status_code == 204
    wait_for(lambda: caller.get("/v1/me").status_code == 401, within=1.5)
