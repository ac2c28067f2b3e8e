"""What is done with clients and keys is audited; by the command line without key and address."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from app.audit.reading import AuditFilter, list_audit
from app.clients.credentials import ClientSecret, create_client, revoke_client, rotate_client
from app.clients.keys import create_key, revoke_key
from app.clients.reading import rename_client
from app.core.errors import Invalid, NotFound
from app.core.jsontext import loads


def told(engine: Engine, client: ClientSecret) -> list[tuple[str, Any]]:
    with engine.connect() as connection:
        found, _ = list_audit(connection, AuditFilter(client.client_id), limit=100)
    assert all((one.key_id, one.address, one.request_id) == (None, None, None) for one in found)
    return [(one.action, loads(one.detail)) for one in reversed(found)]


def test_a_client_and_its_keys_from_their_making_to_their_end(engine: Engine) -> None:
    name = f"audited {uuid4()}"
    client = create_client(engine, name, ["batches.read"])
    key = create_key(
        engine, client.client_id, name="k", networks=["10.0.0.0/8"], operations=["catalog.*"]
    )
    rotate_client(engine, client.client_id, overlap=timedelta(hours=1))
    rename_client(engine, client.client_id, f"{name}, renamed")
    revoke_key(engine, key.key_id)
    revoke_client(engine, client.client_id)
    found = told(engine, client)
    scopes = found[1][1].pop("scopes")
    assert "admin" not in scopes
    assert found == [
        (
            "client.create",
            {"name": name, "keyId": str(client.key_id), "scopes": ["batches.read"]},
        ),
        (
            "key.create",
            {
                "keyId": str(key.key_id),
                "name": "k",
                "networks": ["10.0.0.0/8"],
                "operations": ["catalog.*"],
                "expiresAt": None,
            },
        ),
        ("client.rotate", {"keyId": str(client.key_id), "overlapSeconds": 3600}),
        ("client.rename", {"name": f"{name}, renamed"}),
        ("key.revoke", {"keyId": str(key.key_id)}),
        ("client.revoke", {}),
    ]
    assert "secret" not in str(found)


def test_what_was_refused_is_not_told(engine: Engine, client: ClientSecret) -> None:
    revoke_client(engine, client.client_id)
    before = told(engine, client)
    with pytest.raises(NotFound):
        revoke_client(engine, client.client_id)
    with pytest.raises(NotFound):
        rotate_client(engine, client.client_id)
    with pytest.raises(NotFound):
        create_key(engine, client.client_id)
    with pytest.raises(NotFound):
        revoke_key(engine, uuid4())
    with pytest.raises(Invalid):
        create_client(engine, "", None)
    assert told(engine, client) == before
