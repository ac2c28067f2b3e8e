"""An admin reads and steers every client's batches; nobody else sees more than its own."""

from __future__ import annotations

import json
from uuid import UUID, uuid4

from flask import Flask
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret, create_client
from app.clients.keys import create_key
from tests.api.conftest import ITEM, Caller


def test_each_batch_is_read_by_its_id(admin: Caller, api: Caller, client: ClientSecret) -> None:
    batch_id = api.opened([ITEM])
    path = f"/v1/batches/{batch_id}"
    own = api.get(path).json
    shown = admin.get(path).json
    assert {"clientId", "clientName"}.isdisjoint(own)
    assert shown == {**own, "clientId": str(client.client_id), "clientName": shown["clientName"]}
    assert shown["clientName"] == api.get("/v1/me").json["name"]
    assert [*shown][-2:] == ["clientId", "clientName"]
    for below in ("/items", "/items/0", "/results", "/results?format=csv"):
        assert admin.get(path + below).data == api.get(path + below).data


def test_lists_are_of_everybody_or_of_one(
    admin: Caller, api: Caller, app: Flask, engine: Engine, client: ClientSecret
) -> None:
    other = create_client(engine, f"other {uuid4()}")
    theirs = Caller(app, other).opened()
    ours = [api.opened() for _ in range(3)]
    newest = admin.get("/v1/batches?limit=4").json
    assert [each["id"] for each in newest["data"]] == [*reversed(ours), theirs]
    whose = [each["clientId"] for each in newest["data"]]
    assert whose == [str(client.client_id)] * 3 + [str(other.client_id)]
    assert all(each["clientName"] for each in newest["data"])
    page = admin.get(f"/v1/batches?client={client.client_id}&limit=2").json
    more = admin.get(f"/v1/batches?client={client.client_id}&cursor={page['next']}").json
    assert [each["id"] for each in page["data"] + more["data"]] == ours[::-1]
    assert admin.get(f"/v1/batches?client={UUID(int=7)}").json["data"] == []
    assert admin.get("/v1/batches?client=nobody").status_code == 422
    assert [each["id"] for each in api.get("/v1/batches").json["data"]] == ours[::-1]


def test_client_is_a_filter_for_admins(api: Caller, client: ClientSecret) -> None:
    for asked in (client.client_id, UUID(int=7)):
        assert api.get(f"/v1/batches?client={asked}").status_code == 403


def test_each_batch_is_steered_by_its_id(admin: Caller, api: Caller) -> None:
    batch_id = api.opened()
    path = f"/v1/batches/{batch_id}"
    changed = admin.send("PATCH", path, json={"name": "seen to"})
    assert changed.status_code == 200
    appended = admin.post(f"{path}/items", [ITEM])
    canceled = admin.post(f"{path}/cancel")
    assert (appended.status_code, canceled.status_code) == (200, 202)
    for answer in (changed, appended, canceled):
        assert answer.json["clientName"], "every body of a batch says whose it is"
    shown = api.get(path).json
    assert (shown["name"], shown["status"], shown["summary"]["total"]) == ("seen to", "CANCELED", 1)
    told = admin.get(f"{path}/events")
    assert json.loads(told.text.rpartition("data: ")[2])["clientName"]
    told.close()
    assert admin.send("DELETE", path).status_code == 204
    assert api.get(path).status_code == 404


def test_what_an_admin_does_is_told_to_the_owner(admin: Caller, api: Caller) -> None:
    batch_id = api.opened()
    admin.post(f"/v1/batches/{batch_id}/cancel")
    path = f"/v1/audit?batch={batch_id}"
    told = api.get(path).json["data"]
    assert [each["action"] for each in told] == ["batch.cancel", "batch.submit"]
    me, owner = admin.get("/v1/me").json, api.get("/v1/me").json
    assert [each["keyId"] for each in told] == [me["keyId"], owner["keyId"]]
    assert {each["clientId"] for each in told} == {owner["clientId"]}
    assert admin.get(path).json["data"] == told


def test_admin_alone_submits_nothing_and_has_no_webhooks(admin: Caller) -> None:
    assert admin.submit({"operation": "catalog.masterlist", "items": [ITEM]}).status_code == 403
    assert admin.get("/v1/webhooks").status_code == 403
    assert admin.get("/v1/operations").status_code == 200


def test_an_admin_who_may_submit_does_so_for_itself(app: Flask, engine: Engine) -> None:
    made = create_client(engine, f"admin {uuid4()}", ["admin", "batches.write"])
    answer = Caller(app, made).submit(
        {"operation": "catalog.masterlist", "start": "manual", "items": [ITEM]}
    )
    assert answer.status_code == 202
    assert answer.json["clientId"] == str(made.client_id)
    assert answer.json["clientName"].startswith("admin ")


def test_what_an_admin_was_answered_is_not_answered_to_another_key(
    app: Flask, engine: Engine, api: Caller
) -> None:
    """Keys of one client share their Idempotency-Keys; what they may see they do not."""
    operators = create_client(engine, f"operators {uuid4()}", ["admin"])
    plain = create_key(engine, operators.client_id)
    path = f"/v1/batches/{api.opened()}/items"
    once = {"Idempotency-Key": "once"}
    first = Caller(app, operators).post(path, [ITEM], headers=once)
    assert first.status_code == 200
    again = Caller(app, operators).post(path, [ITEM], headers=once)
    assert (again.json, again.headers["Idempotent-Replayed"]) == (first.json, "true")
    refused = Caller(app, plain).post(path, [ITEM], headers=once)
    assert refused.status_code == 422
    assert "clientId" not in refused.text


def test_nor_to_one_whose_operations_are_called_admin(
    app: Flask, engine: Engine, api: Caller
) -> None:
    """What a key may is a part of what a request is remembered by, and not to be spelled."""
    scopes = ["admin", "batches.write", "batches.read"]
    admins = create_client(engine, f"admins {uuid4()}", scopes)
    batch_id = api.opened([ITEM], name="of another")
    request = (f"/v1/batches/{batch_id}/items", [ITEM])
    key = {"Idempotency-Key": "k"}
    assert Caller(app, admins).post(*request, headers=key).status_code == 200
    named = create_key(engine, admins.client_id, scopes=["batches.write"], operations=["admin"])
    answer = Caller(app, named).post(*request, headers=key)
    assert answer.status_code in (404, 422), answer.text
    assert "of another" not in answer.text


def test_the_operations_of_an_admins_key_hold_for_others_batches_too(
    app: Flask, engine: Engine, api: Caller
) -> None:
    operators = create_client(engine, f"operators {uuid4()}", ["admin"])
    narrow = create_key(engine, operators.client_id, scopes=["admin"], operations=["demo.*"])
    path = f"/v1/batches/{api.opened()}/items"
    assert Caller(app, narrow).post(path, [ITEM]).status_code == 403
    assert Caller(app, operators).post(path, [ITEM]).status_code == 200


def test_a_batch_that_nobody_has_is_none(admin: Caller) -> None:
    path = f"/v1/batches/{UUID(int=7)}"
    for method, below in (("GET", ""), ("GET", "/items"), ("GET", "/events"), ("DELETE", "")):
        assert admin.send(method, path + below).status_code == 404
    assert admin.post(f"{path}/cancel").status_code == 404
    assert admin.post(f"{path}/items", [ITEM]).status_code == 404
