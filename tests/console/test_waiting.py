"""A batch that no live worker takes up says so wherever it is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret
from app.core.settings import Settings
from tests.console.conftest import Person
from tests.support.application import application


@pytest.fixture
def own_app(own_settings: Settings, own_engine: Engine) -> Iterator[Flask]:
    """One beside which there is a live worker, which has another operation."""
    with own_engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO workers (id, hostname, pid, queue, slots, operations, undoes, "
                "heartbeat_at) VALUES (:id, 'other', 1, 'fast', 1, ARRAY['test.other'], true, "
                "now() + interval '1 hour')"
            ),
            {"id": uuid4()},
        )
    with application(own_settings) as made:
        yield made


def test_what_no_worker_takes_up_says_so_everywhere(
    own_app: Flask, own_client: ClientSecret
) -> None:
    api = own_app.test_client()
    sent = {"operation": "catalog.price", "items": [{"product": "p"}]}
    head = {"Authorization": f"Bearer {own_client.secret}"}
    made = {}
    for name, more in (("batch", {}), ("check", {"dryRun": True})):
        answer = api.post("/v1/batches", json={**sent, **more, "name": name}, headers=head)
        assert answer.status_code == 202, answer.text
        made[name] = (answer.json or {})["id"]
    person = Person(own_app, "192.0.2.8")
    person.sign_in(own_client.secret)
    for path in ("/console/batches", "/console"):
        assert person.get(path).text.count("waits for a worker</span>") == 2
    first = person.get("/console").text
    [sentence] = re.findall('role="status">(.*?)</p>', first)
    assert "2 of the latest batches wait for a worker" in sentence, sentence
    assert "their operation: catalog.price." in sentence
    found = person.get("/console/search?text=batch", headers={"HX-Request": "true"}).text
    assert "waits for a worker</span>" in found
    assert "Waits for a worker" in person.get(f"/console/batches/{made['batch']}").text
    assert "Waits for a worker" in person.get(f"/console/submit/{made['check']}").text
