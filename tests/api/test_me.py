"""Who calls is told to whoever has a key that is good."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret
from app.clients.keys import create_key
from tests.api.conftest import Caller


@pytest.mark.parametrize(
    "scopes", [[], ["batches.read"], ["admin"], ["supplier/bulk.read", "webhooks.manage"]]
)
def test_any_key_is_told_who_it_is(
    app: Flask, engine: Engine, client: ClientSecret, scopes: list[str]
) -> None:
    key = create_key(engine, client.client_id, name="till", scopes=scopes)
    answer = Caller(app, key).get("/v1/me")
    assert answer.status_code == 200
    assert answer.json["name"].startswith("test ")
    assert (answer.json["clientId"], answer.json["keyId"]) == (
        str(client.client_id),
        str(key.key_id),
    )
    assert answer.json["scopes"] == sorted(scopes)
    assert {"quotas", "usage"} < answer.json.keys()


def test_a_read_only_key_reads_what_the_others_wrote(
    app: Flask, engine: Engine, client: ClientSecret, api: Caller
) -> None:
    reader = Caller(app, create_key(engine, client.client_id, scopes=["batches.read"]))
    batch_id = api.opened()
    assert reader.get(f"/v1/batches/{batch_id}").json["id"] == batch_id
    assert [each["id"] for each in reader.get("/v1/batches").json["data"]] == [batch_id]
    assert reader.post(f"/v1/batches/{batch_id}/cancel").status_code == 403
    assert reader.submit({"operation": "catalog.masterlist", "items": [{}]}).status_code == 403
