"""Every native route that changes something leaves one row of the audit, which says who did it.

Each is gone through once, so that one that is added has to be put in here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret
from app.clients.keys import create_key
from app.core.settings import Settings
from app.db import transaction
from app.webhooks.recording import BATCH_FINISHED, record
from tests.api.conftest import ITEM, Answer, Caller, make_app
from tests.api.test_approval import await_approval


@pytest.fixture(scope="module")
def engine(own_engine: Engine) -> Engine:
    """A database of its own: what is started here must not be run."""
    return own_engine


@pytest.fixture(scope="module")
def app(own_settings: Settings, own_engine: Engine) -> Iterator[Flask]:
    """The application there."""
    yield from make_app(own_settings)


class Walk:
    """Goes from route to route, and looks at the audit after each."""

    def __init__(self, app: Flask, admin: Caller) -> None:
        self._app, self._admin = app, admin
        self._seen = self._rows().keys()
        self.routes: set[tuple[str, str]] = set()

    def _rows(self) -> dict[str, Any]:
        found = self._admin.get("/v1/audit?limit=1000").json["data"]
        return {entry["id"]: entry for entry in found}

    def __call__(
        self, who: Caller, method: str, path: str, action: str, body: Any = None
    ) -> Answer:
        """Ask for it: it is done, and the audit has one row more, with that action."""
        answer = who.send(method, path, json=body)
        assert answer.status_code < 300, (method, path, answer.text)
        rows = self._rows()
        new = [entry for id_, entry in rows.items() if id_ not in self._seen]
        self._seen = rows.keys()
        assert [entry["action"] for entry in new] == [action], (method, path)
        [entry] = new
        assert who.client is not None
        assert entry["keyId"] == str(who.client.key_id), (method, path)
        assert entry["address"] == "127.0.0.1"
        assert entry["requestId"] == answer.headers["X-Request-Id"]
        if "/batches/" in path:
            assert entry["batchId"] in path
        matched = self._app.url_map.bind("localhost").match(path, method=method, return_rule=True)
        self.routes.add((method, matched[0].rule))
        return answer


def changing(app: Flask) -> set[tuple[str, str]]:
    return {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/v1/")
        for method in (rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}
    }


def test_each_leaves_a_row_of_whoever_did_it(
    app: Flask, engine: Engine, own_client: ClientSecret, admin: Caller
) -> None:
    api, other = (
        Caller(app, key) for key in (own_client, create_key(engine, own_client.client_id))
    )
    walk = Walk(app, admin)
    batches(walk, api, admin)
    approvals(walk, api, other, engine)
    webhooks(walk, api, engine)
    clients(walk, admin)
    breaker = "/v1/operations/demo.sleep/breaker"
    walk(admin, "POST", breaker, "operation.open", {"state": "open"})
    walk(admin, "POST", breaker, "operation.close", {"state": "closed"})
    assert walk.routes == changing(app)


def batches(walk: Walk, api: Caller, admin: Caller) -> None:
    """By its own client and by an admin in turns."""
    body = {"operation": "catalog.masterlist", "start": "manual", "items": [ITEM, ITEM]}
    path = f"/v1/batches/{walk(api, 'POST', '/v1/batches', 'batch.submit', body).json['id']}"
    walk(admin, "POST", f"{path}/items", "batch.append", [ITEM])
    walk(admin, "PATCH", path, "batch.amend", {"name": "new"})
    walk(admin, "PATCH", f"{path}/items/0", "item.edit", {"input": {**ITEM, "asin": "B"}})
    walk(api, "POST", f"{path}/items/cancel", "items.cancel", {"indexes": [0]})
    walk(api, "POST", f"{path}/start", "batch.start")
    walk(admin, "POST", f"{path}/pause", "batch.pause")
    walk(api, "POST", f"{path}/resume", "batch.resume")
    walk(api, "POST", f"{path}/pause", "batch.pause")
    walk(admin, "POST", f"{path}/cancel", "batch.cancel")
    canceled = {"where": {"status": ["CANCELED"]}}
    walk(admin, "POST", f"{path}/items/retry", "items.retry", canceled)
    walk(api, "POST", f"{path}/pause", "batch.pause")
    walk(api, "POST", f"{path}/cancel", "batch.cancel")
    walk(admin, "POST", f"{path}/retry", "batch.retry", {"statuses": ["CANCELED"]})
    walk(api, "POST", f"{path}/pause", "batch.pause")
    walk(api, "POST", f"{path}/cancel", "batch.cancel")
    walk(admin, "POST", f"{path}/reset", "batch.reset")
    walk(api, "POST", f"{path}/cancel", "batch.cancel")
    walk(admin, "DELETE", path, "batch.delete")


def approvals(walk: Walk, api: Caller, other: Caller, engine: Engine) -> None:
    for who, action in ((other, "approve"), (api, "reject")):
        body = {"operation": "catalog.masterlist", "start": "manual", "items": [ITEM]}
        made = walk(api, "POST", "/v1/batches", "batch.submit", {**body, "approval": True})
        await_approval(engine, made.json["id"])
        walk(who, "POST", f"/v1/batches/{made.json['id']}/{action}", f"batch.{action}")


def webhooks(walk: Walk, api: Caller, engine: Engine) -> None:
    hook = {"url": "https://example.com/hook"}
    path = f"/v1/webhooks/{walk(api, 'POST', '/v1/webhooks', 'webhook.create', hook).json['id']}"
    walk(api, "POST", f"{path}/rotate", "webhook.rotate")
    with transaction(engine) as connection:
        ids = [UUID(path.rpartition("/")[2])]
        record(connection, ids, BATCH_FINISHED, at=datetime.now(UTC), data={}, batch_id=None)
    [delivery] = api.get(f"{path}/deliveries").json["data"]
    walk(api, "POST", f"{path}/deliveries/{delivery['id']}/resend", "webhook.resend")
    walk(api, "DELETE", path, "webhook.delete")


def clients(walk: Walk, admin: Caller) -> None:
    name = f"made {uuid4()}"
    made = walk(admin, "POST", "/v1/clients", "client.create", {"name": name})
    path = f"/v1/clients/{made.json['clientId']}"
    walk(admin, "PATCH", path, "client.rename", {"name": f"{name}, renamed"})
    key = walk(admin, "POST", f"{path}/keys", "key.create", {"name": "k"})
    walk(admin, "DELETE", f"{path}/keys/{key.json['keyId']}", "key.revoke")
    walk(admin, "PATCH", f"{path}/quotas", "quota.set", {"openBatches": 3})
    walk(admin, "DELETE", path, "client.revoke")
