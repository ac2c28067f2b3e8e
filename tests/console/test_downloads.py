"""Items are taken away as files: never shown in place, and no longer than the session is good."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine

from app.batches import item_pages
from app.clients.credentials import ClientSecret
from app.clients.keys import create_key, revoke_key
from app.core.errors import Unauthenticated
from app.web import still_good as looking
from tests.console.conftest import Person, fields_of

FORMATS = {"ndjson": "application/x-ndjson", "csv": "text/csv", "resubmit": "application/x-ndjson"}
ITEM = {"asin": "A1", "countryCode": "US", "percACoS": 1}


@pytest.fixture
def batch(app: Flask, client: ClientSecret) -> str:
    """One with enough in it to come in several pieces."""
    answer = app.test_client().post(
        "/v1/batches",
        json={
            "operation": "catalog.masterlist",
            "start": "manual",
            "items": [{**ITEM, "note": "<script>" * 1000}] * 60,
        },
        headers={"Authorization": f"Bearer {client.secret}"},
    )
    return str(answer.get_json()["id"])


@pytest.fixture
def guest(app: Flask, engine: Engine, client: ClientSecret) -> tuple[Person, ClientSecret]:
    """Somebody signed in by a key that can be taken from them."""
    key = create_key(engine, client.client_id)
    found = Person(app, "192.0.2.31")
    assert found.sign_in(key.secret).status_code == 303
    return found, key


@pytest.mark.parametrize("wanted", FORMATS)
def test_they_are_attachments(person: Person, batch: str, wanted: str) -> None:
    answer = person.get(f"/console/batches/{batch}/download?format={wanted}")
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"].startswith(f'attachment; filename="{batch}.')
    assert answer.headers["Content-Type"].startswith(FORMATS[wanted])
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"


def test_nobody_has_them_without_a_session(
    app: Flask, guest: tuple[Person, ClientSecret], batch: str
) -> None:
    path = f"/console/batches/{batch}/download?format=csv"
    person, _ = guest
    copied = Person(app, "192.0.2.31")
    cookie = person.http.get_cookie("batchline_console", path="/console")
    assert cookie is not None
    copied.http.set_cookie("batchline_console", cookie.value, path="/console")
    assert copied.get(path).status_code == 200
    token = fields_of(person.get("/console").text, "/console/sign-out")["csrf"]
    person.post("/console/sign-out", {"csrf": token})
    # They are led to the form, and from there to the file; the cookie that was copied is dead.
    for each in (person, copied):
        answer = each.get(path)
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/console?next=%2Fconsole%2Fbatches%2F")
        assert "A1" not in answer.text


def test_one_breaks_off_with_its_session(
    engine: Engine, guest: tuple[Person, ClientSecret], batch: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr(looking, "LOOK_EVERY", 0.0)
    monkeypatch.setattr("app.clients.recent_callers.KEPT_SECONDS", 0.0)
    monkeypatch.setattr(item_pages, "_MOST_BYTES", 80_000)
    person, key = guest
    answer = person.get(f"/console/batches/{batch}/download", buffered=False)
    pieces = answer.iter_encoded()
    assert next(pieces)
    revoke_key(engine, key.key_id)
    with pytest.raises(Unauthenticated):
        list(pieces)
