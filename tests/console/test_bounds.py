"""What somebody can have the console do: forms, quotas, conditions, and who waits for whom."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret, create_client
from app.clients.quotas import REQUESTS_PER_SECOND, default_quotas, set_quotas
from app.console.pages.overview import figures
from app.console.pages.overview.figures import Board
from app.console.pages.sign_in.view import UNKNOWN
from app.console.shell import attempts, forms
from app.core.settings import Settings
from app.db import read
from tests.console.conftest import Person, fields_of
from tests.support.stack import wait_for

URLENCODED = "application/x-www-form-urlencoded"
MANY = b"a&" * forms.MOST_FIELDS
_NETWORKS = (f"2001:db8:0:{number:x}::" for number in count(1))


def sign_out(person: Person) -> dict[str, str]:
    return fields_of(person.get("/console").text, "/console/sign-out")


def send(person: Person, path: str, body: bytes, kind: str = URLENCODED) -> Any:
    answer: Any = person.http.post(
        path, data=body, content_type=kind, environ_base={"REMOTE_ADDR": person.address}
    )
    return answer


@pytest.mark.parametrize("path", ["/console/sign-in", "/console/sign-out"])
def test_a_form_has_an_end(app: Flask, person: Person, path: str) -> None:
    signs_in = path == "/console/sign-in"
    who = Person(app, "192.0.2.2") if signs_in else person
    most = forms.OF_ANYBODY if signs_in else forms.OF_SIGNED_IN
    refused = {
        "fields": send(who, path, MANY),
        "bytes": send(who, path, b"a=" + b"b" * most),
        "a field's name": send(who, path, b"a" * most + b"=b"),
        "parts": send(
            who,
            path,
            b'--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\nx\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
    }
    statuses = {name: answer.status_code for name, answer in refused.items()}
    assert statuses == {"fields": 413, "bytes": 413, "a field's name": 413, "parts": 415}
    assert all(answer.mimetype == "text/html" for answer in refused.values())
    assert send(who, path, b"a=b").status_code == 403, "and within that it is read"
    assert "Sign out" in person.get("/console").text


def test_conditions_that_are_not_looked_at_are_refused(app: Flask, person: Person) -> None:
    stranger = Person(app, "192.0.2.3")
    for who, path in ((person, "/console/sign-out"), (stranger, "/console/sign-in")):
        key = who.post(path, {}, headers={"Idempotency-Key": "x"})
        assert key.status_code == 400
        assert "Idempotency-Key is not taken" in key.text
        assert who.post(path, {}, headers={"If-Match": '"x"'}).status_code == 412
    assert "Sign out" in person.get("/console").text


@pytest.fixture
def two_a_second(engine: Engine, settings: Settings, client: ClientSecret) -> None:
    """The client's quota, before anybody knows the client."""
    set_quotas(engine, client.client_id, {REQUESTS_PER_SECOND: 2}, default_quotas(settings))


def test_a_session_is_its_clients_and_counts(two_a_second: None, person: Person) -> None:
    answers = [person.get("/console/live") for _ in range(20)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert 14 <= len(refused) <= 19, "two at once more, and what comes in meanwhile"
    assert all(answer.headers["RateLimit-Policy"] == '"requestsPerSecond";q=2;w=1'
               for answer in answers)  # fmt: skip
    assert refused[-1].headers["Retry-After"] == "1"
    assert refused[-1].mimetype == "text/html"


def test_so_does_a_path_that_there_is_not(two_a_second: None, person: Person) -> None:
    answers = [person.get("/console/nothing") for _ in range(20)]
    assert answers[0].status_code == 404
    assert "Sign out" in answers[0].text
    assert 'href="/console/batches"' in answers[0].text
    assert answers[-1].status_code == 429
    assert all("RateLimit" in answer.headers for answer in answers)


def test_each_of_several_counts(
    app: Flask, engine: Engine, settings: Settings, client: ClientSecret, person: Person
) -> None:
    token = sign_out(person)["csrf"]
    headers = {"Authorization": f"Bearer {client.secret}"}
    item = {"asin": "A1", "countryCode": "US", "percACoS": 2.7}
    body = {"operation": "catalog.masterlist", "items": [item], "start": "manual"}
    made = [app.test_client().post("/v1/batches", json=body, headers=headers) for _ in range(30)]
    ids = [answer.json["id"] for answer in made if answer.json]
    set_quotas(engine, client.client_id, {REQUESTS_PER_SECOND: 2}, default_quotas(settings))
    wait_for(lambda: "RateLimit" in person.get("/console/live").headers)
    fields = {"csrf": token, "action": "cancel", "confirmed": "yes", "id": ids}
    page = person.post("/console/batches/act", fields)
    assert page.status_code == 200
    assert "requestsPerSecond is 2" in page.text
    with engine.connect() as connection:
        canceled = connection.execute(
            text("SELECT count(*) FROM batches WHERE client_id = :id AND status = 'CANCELED'"),
            {"id": client.client_id},
        ).scalar_one()
    assert 1 <= canceled < 15


def test_addresses_of_one_network_are_one(app: Flask) -> None:
    network = next(_NETWORKS)
    for number in range(10):
        assert Person(app, f"{network}{number:x}").sign_in(f"wrong {uuid4()}").status_code == 401
    assert Person(app, f"{network}ffff").sign_in(f"wrong {uuid4()}").status_code == 429
    assert Person(app, next(_NETWORKS) + "1").sign_in("wrong").status_code == 401


def test_what_nobody_tries_fills_no_audit(
    app: Flask, engine: Engine, client: ClientSecret, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: dict[str, int] = {}

    def add(key: str, number: int) -> int:
        said[key] = said.get(key, 0) + number
        return said[key]

    monkeypatch.setattr(attempts, "_add", add)
    monkeypatch.setattr(attempts, "MOST_OF_NOBODY", 3)

    def rows() -> int:
        with engine.connect() as connection:
            statement = text(
                "SELECT count(*) FROM audit WHERE action = 'session.refused' AND client_id = :id"
            )
            return int(connection.execute(statement, {"id": UNKNOWN}).scalar_one())

    before = rows()
    for _ in range(8):
        person = Person(app, next(_NETWORKS) + "1")
        assert person.sign_in(f"wrong {uuid4()}").status_code == 401
    assert rows() - before == 3


def test_who_is_looked_up_for_long_makes_nobody_else_wait(
    engine: Engine, client: ClientSecret, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = create_client(engine, f"beside {client.client_id}")
    board = Board(engine, stale=30, patience=30)
    begun, go_on = threading.Event(), threading.Event()

    def slowly(*args: Any) -> Any:
        if not begun.is_set():
            begun.set()
            assert go_on.wait(30)
        return read(*args)

    monkeypatch.setattr(figures, "read", slowly)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(board.figures, client.client_id)
        assert begun.wait(30)
        again = threads.submit(board.figures, client.client_id)
        assert board.figures(other.client_id).latest == []
        assert not first.done()
        go_on.set()
        assert first.result(30) is again.result(30), "who asked meanwhile had the same"
