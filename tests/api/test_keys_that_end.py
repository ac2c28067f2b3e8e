"""An answer that goes on for long ends with the key that it was asked for by."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import Engine

from app.batches import item_pages
from app.clients.credentials import ClientSecret, revoke_client, rotate_client
from app.clients.keys import create_key, revoke_key
from app.core.errors import Unauthenticated
from app.web import still_good as looking
from app.web.auth import authenticate
from app.web.services import EXTENSION
from app.web.still_good import still_good
from tests.api.conftest import ITEM, Caller
from tests.support.clock import Clock


@pytest.fixture
def at_once(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look is made, and asks the database."""
    monkeypatch.setattr(looking, "LOOK_EVERY", 0.0)
    monkeypatch.setattr("app.clients.recent_callers.KEPT_SECONDS", 0.0)


@pytest.mark.timeout(60)
@pytest.mark.usefixtures("at_once")
def test_a_stream_of_events_ends(
    app: Flask, engine: Engine, client: ClientSecret, api: Caller
) -> None:
    key = create_key(engine, client.client_id)
    path = f"/v1/batches/{api.opened()}/events"
    following = Caller(app, key).get(path, buffered=False)
    stream = following.iter_encoded()
    assert next(stream).startswith(b"retry:")
    assert b"event: progress" in next(stream)
    revoke_key(engine, key.key_id)
    assert b"".join(stream) == b"", "and nothing more is told"
    assert Caller(app, key).get(path).status_code == 401
    assert api.get("/v1/me").status_code == 200


@pytest.mark.usefixtures("at_once")
def test_a_download_breaks_off(
    app: Flask,
    engine: Engine,
    client: ClientSecret,
    api: Caller,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(item_pages, "_MOST_BYTES", 80_000)
    key = create_key(engine, client.client_id)
    batch_id = api.opened([{**ITEM, "note": "x" * 8000}] * 60)
    download = Caller(app, key).get(f"/v1/batches/{batch_id}/results", buffered=False)
    pieces = download.iter_encoded()
    assert next(pieces)
    revoke_key(engine, key.key_id)
    with pytest.raises(Unauthenticated):
        list(pieces)


@pytest.mark.parametrize("end", ["revoked", "its client", "rotated", "not at all"])
def test_a_look_finds_that_a_key_has_ended(
    app: Flask, engine: Engine, client: ClientSecret, end: str
) -> None:
    clock = Clock()
    key = create_key(engine, client.client_id)
    asked = client if end == "rotated" else key
    headers = {"Authorization": f"Bearer {asked.secret}"}
    with app.test_request_context("/v1/me", headers=headers):
        authenticate()
        callers = app.extensions[EXTENSION].callers
        is_good = still_good(clock=clock)
        if end == "revoked":
            revoke_key(engine, key.key_id)
        elif end == "its client":
            revoke_client(engine, client.client_id)
        elif end == "rotated":
            rotate_client(engine, client.client_id)
        callers._known.clear()
        assert is_good(), "it does not look at every call"
        clock.forward(looking.LOOK_EVERY)
        assert is_good() is (end == "not at all")
