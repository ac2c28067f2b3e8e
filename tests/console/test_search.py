"""The palette: batches by whatever somebody remembers of them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from flask import Flask
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret, create_client
from tests.console.conftest import Person

HTMX = {"HX-Request": "true"}


def submitted(app: Flask, secret: str, **fields: Any) -> str:
    body = {"operation": "demo.sleep", "start": "manual", **fields}
    answer = app.test_client().post(
        "/v1/batches", json=body, headers={"Authorization": f"Bearer {secret}"}
    )
    return str(answer.get_json()["id"])


def test_by_name_id_reference_and_metadata(
    app: Flask, engine: Engine, person: Person, client: ClientSecret
) -> None:
    batch = submitted(app, client.secret, name="Nightly <feed>", metadata={"by": "erp-7"})
    # One that a dialect gave a reference.
    products = [{"asin": "B1", "countryCode": "US", "percACoS": 2.7}]
    headers = {"Authorization": f"Bearer {client.secret}", "Subscription-Key": client.api_key}
    came = (
        app.test_client()
        .patch("/amazon/v2/process/masterlist", json=products, headers=headers)
        .get_json()["batchId"]
    )
    found = person.get(f"/console/search?text={came}", headers=HTMX).text
    assert found.count("/console/batches/") == 1
    for text in ("nightly <FEED>", batch, batch[-12:], "erp-7"):
        found = person.get("/console/search", query_string={"text": text}, headers=HTMX).text
        assert f'href="/console/batches/{batch}"' in found, text
        assert "<feed>" not in found.lower()
    none = person.get("/console/search?text=no-such-thing", headers=HTMX).text
    assert "No batch is like that" in none
    assert none.count('role="option"') == 1
    assert batch in person.get("/console/search?text=", headers=HTMX).text
    assert person.get("/console/search?text=%00%ff", headers=HTMX).status_code == 200
    other = Person(app, "192.0.2.44")
    other.sign_in(create_client(engine, f"other {uuid4()}").secret)
    theirs = other.get(f"/console/search?text={batch}", headers=HTMX).text
    assert "No batch is like that" in theirs
    assert f"/console/batches/{batch}" not in theirs


def test_an_id_finds_it_however_old_it_is(
    app: Flask, person: Person, client: ClientSecret, monkeypatch: Any
) -> None:
    batch = submitted(app, client.secret, name="old")
    for number in range(4):
        submitted(app, client.secret, name=f"new {number}")
    monkeypatch.setattr("app.batches.queries.LOOK_AT_BATCHES", 2)
    found = f"/console/batches/{batch}"
    assert found in person.get(f"/console/search?text={batch}", headers=HTMX).text
    assert found not in person.get("/console/search?text=old", headers=HTMX).text


def test_without_scripts_it_is_the_list(person: Person) -> None:
    page = person.get("/console").text
    assert 'action="/console/batches" role="search"' in page
    answer = person.get("/console/search?text=a%26b")
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        "/console/batches?text=a%26b",
    )
