"""Every native route, with another client's ids: answered as if they were nobody's.

Routes are taken from the application, so that one that is added is looked at too. What the dialects
answer is in tests/dialects/test_ids.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine, text
from werkzeug.routing import Rule

from app.batches.actions import ACTIONS
from app.clients.credentials import ClientSecret, create_client
from app.clients.keys import create_key
from app.db import transaction
from app.webhooks.recording import BATCH_FINISHED, record
from tests.api.conftest import ITEM, Caller

MARK = "only-mine"
"""Stands in whatever the owner has, and in nothing that another is answered."""
# What a request of the rule would be taken with; an empty object for others.
BODIES: dict[str, Any] = {
    "POST /v1/batches/<uuid:batch_id>/items": [ITEM],
    "POST /v1/batches/<uuid:batch_id>/items/retry": {"indexes": [0]},
    "POST /v1/batches/<uuid:batch_id>/items/cancel": {"indexes": [0]},
    "PATCH /v1/batches/<uuid:batch_id>/items/<int(max=2147483647):index>": {"input": ITEM},
    "PATCH /v1/batches/<uuid:batch_id>": {"name": "taken over"},
    "POST /v1/operations/<path:name>/breaker": {"state": "closed"},
    "POST /v1/clients": {"name": "taken over"},
    "PATCH /v1/clients/<uuid:client_id>": {"name": "taken over"},
    "POST /v1/clients/<uuid:client_id>/keys": {"scopes": ["admin"]},
}
Ids = Mapping[str, Any]


@pytest.fixture
def theirs(engine: Engine, client: ClientSecret, api: Caller) -> Ids:
    """What a client has."""
    return belongings(engine, client, api)


def belongings(engine: Engine, client: ClientSecret, api: Caller) -> Ids:
    """Give the client, who calls by `api`, what there is; by the names that paths have for it."""
    hook = api.post("/v1/webhooks", {"url": f"https://example.com/{MARK}"}).json["id"]
    batch_id = api.opened([{**ITEM, "asin": MARK}], name=MARK, metadata={"a": MARK})
    now = datetime.now(UTC)
    with transaction(engine) as connection:
        record(connection, [UUID(hook)], BATCH_FINISHED, at=now, data=MARK, batch_id=UUID(batch_id))
        # A stack that another test has started on this database sends what is due.
        connection.execute(
            text(
                """UPDATE webhook_deliveries SET next_at = now() + interval '1 day'
                WHERE webhook_id = :hook"""
            ),
            {"hook": hook},
        )
        connection.execute(
            text(
                """INSERT INTO records (client_id, collection, key, data)
                VALUES (:client_id, 'product', 'theirs', to_jsonb(CAST(:mark AS text)))"""
            ),
            {"client_id": client.client_id, "mark": MARK},
        )
    create_key(engine, client.client_id, name=MARK)
    deliveries = api.get(f"/v1/webhooks/{hook}/deliveries").json["data"]
    return {
        "batch_id": batch_id,
        "webhook_id": hook,
        "delivery_id": deliveries[0]["id"],
        "client_id": str(client.client_id),
        "key_id": str(client.key_id),
        "collection": "product",
        "key": "theirs",
        "index": "0",
        "action": "",
        "name": "demo.sleep",
    }


def nobodys(ids: Ids) -> Ids:
    """The same, of nobody."""
    new = {name: str(uuid4()) for name in ids if name.endswith("_id")}
    return {**ids, **new, "key": "nobodys"}


def requests(app: Flask, ids: Ids) -> Iterator[tuple[str, str, Any]]:
    """Method, path and body of each route, with those ids in the path."""
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/v1/"):
            continue
        lacking = rule.arguments - ids.keys()
        assert not lacking, f"{rule.rule}: say above what a client has of {lacking}"
        for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
            body = BODIES.get(f"{method} {rule.rule}", {}) if method in ("POST", "PATCH") else None
            for path in _paths(rule, ids):
                yield method, path, body


def _paths(rule: Rule, ids: Ids) -> Iterator[str]:
    for action in ACTIONS if "action" in rule.arguments else [""]:
        values = {**ids, "action": action}
        yield re.sub(r"<(?:[^<>]+:)?(\w+)>", lambda found: str(values[found[1]]), rule.rule)  # noqa: B023


def owned(api: Caller, ids: Ids) -> list[Any]:
    """All of it, as its owner sees it."""
    hook = f"/v1/webhooks/{ids['webhook_id']}"
    return [
        api.get(path).json
        for path in (
            f"/v1/batches/{ids['batch_id']}",
            f"/v1/batches/{ids['batch_id']}/items",
            "/v1/batches",
            hook,
            f"{hook}/deliveries",
            "/v1/records/product",
            "/v1/me",
        )
    ]


@pytest.mark.parametrize("narrowed", [False, True])
def test_what_is_anothers_is_nobodys(
    app: Flask, engine: Engine, api: Caller, theirs: Ids, narrowed: bool
) -> None:
    """With every scope but `admin`, and nothing of one's own."""
    stranger = create_client(engine, f"stranger {uuid4()}")
    key = create_key(engine, stranger.client_id, operations=["*"]) if narrowed else stranger
    caller = Caller(app, key)
    before = owned(api, theirs)
    nobody = nobodys(theirs)
    looked_at = 0
    pairs = zip(requests(app, theirs), requests(app, nobody), strict=True)
    for (method, path, body), (_, unknown, _) in pairs:
        answer = caller.send(method, path, json=body)
        same = caller.send(method, unknown, json=body)
        assert answer.status_code == same.status_code, (method, path, answer.text)
        assert _without(answer.text, theirs) == _without(same.text, nobody), (method, path)
        assert MARK not in answer.text, (method, path)
        if path != unknown:
            assert answer.status_code in (403, 404), (method, path, answer.text)
            looked_at += 1
    assert looked_at > 25
    assert owned(api, theirs) == before


def _without(said: str, ids: Ids) -> str:
    """What was said, but for the ids that were asked for."""
    for name, value in ids.items():
        if name.endswith("_id") or name == "key":
            said = said.replace(str(value), f"<{name}>")
    return said
