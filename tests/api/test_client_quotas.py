"""/v1/clients/{id}/quotas, and what /v1/me tells of quotas; an admin acts within the owner's."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine, event

from app.batches import admission
from app.batches.actions import act
from app.batches.intake import Intake
from app.batches.long_work import Pace
from app.clients.credentials import ClientSecret
from app.clients.quotas import NO_QUOTAS, set_quotas
from app.web import usage
from app.web.services import EXTENSION
from tests.api.conftest import ITEM, MASTERLIST, Caller
from tests.api.test_reading import ended
from tests.support.quotas import DEFAULTS


def path_of(client: ClientSecret) -> str:
    return f"/v1/clients/{client.client_id}/quotas"


def test_an_admin_shows_and_sets_them(api: Caller, admin: Caller, client: ClientSecret) -> None:
    path = path_of(client)
    assert admin.get(path).json == DEFAULTS
    asked = {"openBatches": 2, "webhooks": "none", "streamsAtOnce": None}
    answer = admin.send("PATCH", path, json=asked)
    expected = {**DEFAULTS, "openBatches": 2, "webhooks": None, "streamsAtOnce": None}
    assert (answer.status_code, answer.json) == (200, expected)
    assert admin.get(path).json == expected
    assert admin.send("PATCH", path, json={"webhooks": "default"}).json["webhooks"] == 50
    told = api.get("/v1/audit?action=quota.set").json["data"]
    assert [entry["detail"]["quotas"] for entry in told] == [
        {"webhooks": "default"},
        {"openBatches": 2, "webhooks": None, "streamsAtOnce": None},
    ]
    assert admin.client is not None
    assert {entry["keyId"] for entry in told} == {str(admin.client.key_id)}


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [({"nonsense": 1}, "/nonsense"), ({"a/b": 1}, "/a~1b"), ({"webhooks": -1}, "/webhooks"),
     ({"webhooks": "5"}, "/webhooks"), ({"webhooks": 1.0}, "/webhooks")],
)  # fmt: skip
def test_what_cannot_be_is_named(
    admin: Caller, client: ClientSecret, asked: dict[str, object], pointer: str
) -> None:
    answer = admin.send("PATCH", path_of(client), json=asked)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]


def test_others_may_not(api: Caller, admin: Caller, client: ClientSecret) -> None:
    for method in ("GET", "PATCH"):
        options: dict[str, Any] = {"json": {"webhooks": 1}} if method == "PATCH" else {}
        assert api.send(method, path_of(client), **options).status_code == 403
        path = f"/v1/clients/{uuid4()}/quotas"
        assert admin.send(method, path, **options).status_code == 404


def test_me_tells_quotas_and_usage(api: Caller, engine: Engine, client: ClientSecret) -> None:
    nothing = {
        "submissionsAtOnce": 0,
        "openBatches": 0,
        "pendingItems": 0,
        "storedItems": 0,
        "streamsAtOnce": 0,
        "webhooks": 0,
    }
    me = api.get("/v1/me").json
    assert (me["quotas"], me["usage"]) == (DEFAULTS, nothing)
    api.opened([ITEM] * 3)
    ended(engine, api.opened([ITEM] * 2), completed=1, failed=1)
    api.post("/v1/webhooks", {"url": "https://example.com/"})
    counts = {"openBatches": 1, "pendingItems": 3, "storedItems": 5, "webhooks": 1}
    assert api.get("/v1/me").json["usage"] == {**nothing, **counts}
    set_quotas(engine, client.client_id, {"openBatches": 4}, NO_QUOTAS)
    time.sleep(1)
    assert api.get("/v1/me").json["quotas"] == {**DEFAULTS, "openBatches": 4}


def test_what_took_long_to_count_is_kept_for_a_while(
    api: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "_QUICK", 0.0)
    monkeypatch.setattr(usage, "_KEPT_FOR", 1e6)
    assert api.get("/v1/me").json["usage"]["storedItems"] == 0
    api.opened([ITEM])
    assert api.get("/v1/me").json["usage"]["storedItems"] == 0


@pytest.mark.parametrize("way", ["submit", "append", "dialect"])
def test_who_is_refused_again_and_again_is_counted_once(
    api: Caller,
    app: Flask,
    client: ClientSecret,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    monkeypatch.setattr(admission, "_LONG", 0.0)
    monkeypatch.setattr(admission, "_KEPT_FOR", 1e6)
    batch_id = api.opened([ITEM] * 3)
    set_quotas(engine, client.client_id, {"storedItems": 3}, NO_QUOTAS)
    paths = {
        "submit": (f"/v1/batches?{MASTERLIST}&start=manual", [ITEM]),
        "append": (f"/v1/batches/{batch_id}/items", [ITEM]),
        "dialect": ("/batch/price/update", [{"product": "P", "store": "S", "price": 1}]),
    }
    headers = {}
    if way == "dialect":
        headers = {"x-api-key": client.api_key, "Authorization": client.secret}

    def refused() -> bool:
        answer = api.post(*paths[way], headers=headers)
        return (answer.status_code, answer.json.get("quota")) == (429, "storedItems")

    time.sleep(1)  # until the quota is known
    counts: list[str] = []

    @event.listens_for(app.extensions[EXTENSION].engine, "before_cursor_execute")
    def note(*arguments: Any) -> None:
        counts.extend([arguments[2]] * ("sum(total)" in arguments[2]))

    assert all(refused() for _ in range(5))
    assert len(counts) == 1
    api.post(f"/v1/batches/{batch_id}/cancel")
    assert api.send("DELETE", f"/v1/batches/{batch_id}").status_code == 204
    assert way == "append" or refused(), "for a while"
    monkeypatch.setattr(admission, "_refused", {})
    assert way == "append" or not refused()


def test_what_is_larger_than_the_quota_is_not_even_written(
    api: Caller, client: ClientSecret, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_quotas(engine, client.client_id, {"storedItems": 299}, NO_QUOTAS)
    written: list[object] = []
    monkeypatch.setattr(Intake, "write", lambda *_: written.append(1))
    body = {"operation": "catalog.masterlist", "start": "manual", "items": [ITEM] * 300}
    refused = api.submit(body)
    assert (refused.status_code, refused.json["quota"], written) == (429, "storedItems", [])


def test_what_a_long_retry_will_bring_counts_already(
    api: Caller, client: ClientSecret, engine: Engine
) -> None:
    """A batch that begins again step by step is shown as it ended until the last of them."""
    set_quotas(engine, client.client_id, {"pendingItems": 4, "openBatches": 2}, NO_QUOTAS)
    batch_id = api.opened([ITEM] * 3)
    ended(engine, batch_id, failed=3)
    act(engine, client.client_id, UUID(batch_id), "retry", pace=Pace(items=1, seconds=0))
    batch = api.get(f"/v1/batches/{batch_id}").json
    assert (batch["status"], batch["doing"]["action"]) == ("PARTIAL", "retry")
    usage = api.get("/v1/me").json["usage"]
    assert (usage["openBatches"], usage["pendingItems"]) == (1, 3)
    body = {"operation": "catalog.masterlist", "start": "manual", "items": [ITEM] * 2}
    assert api.submit(body).json["quota"] == "pendingItems"
    api.opened([ITEM])
    assert api.submit({**body, "items": []}).json["quota"] == "openBatches"


def test_what_an_admin_does_for_another_counts_as_the_owners(
    api: Caller, admin: Caller, client: ClientSecret, engine: Engine
) -> None:
    batch = api.opened([ITEM])
    over = api.opened([ITEM] * 3)
    ended(engine, over, failed=3)
    set_quotas(engine, client.client_id, {"pendingItems": 2}, NO_QUOTAS)
    path = f"/v1/batches/{batch}/items"
    assert admin.post(path, [ITEM]).status_code == 200
    refused = admin.post(path, [ITEM])
    assert (refused.status_code, refused.json["quota"]) == (429, "pendingItems")
    refused = admin.post(f"/v1/batches/{over}/retry")
    assert (refused.status_code, refused.json["quota"]) == (429, "pendingItems")
