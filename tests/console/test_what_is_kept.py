"""What the console keeps for pages that ask again is shown to nobody else, and is not older."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine, event, text

from app.batches.queries import find_batch
from app.clients.credentials import ClientSecret, create_client
from app.clients.keys import create_key
from app.console.pages.batches.rows import html_of, row_of
from app.core.ids import earliest_id, new_id
from tests.console.conftest import Person

ITEM = {"asin": "A1", "countryCode": "US", "percACoS": 2.7}
Submit = Callable[..., str]


@pytest.fixture
def submit(app: Flask, client: ClientSecret) -> Submit:
    def submitted(secret: str = client.secret, **fields: Any) -> str:
        body = {"operation": "catalog.masterlist", "items": [ITEM], "start": "manual", **fields}
        answer = app.test_client().post(
            "/v1/batches", json=body, headers={"Authorization": f"Bearer {secret}"}
        )
        assert answer.status_code == 202, answer.text
        return str(answer.get_json()["id"])

    return submitted


@pytest.fixture
def ended(app: Flask, submit: Submit, person: Person) -> str:
    """A batch that was canceled."""
    batch = submit(name="for some eyes")
    asked = person.get(f"/console/batches/{batch}/cancel")
    assert person.fill(asked, f"/console/batches/{batch}/cancel").status_code == 303
    assert "status-canceled" in person.get(f"/console/batches/{batch}").text
    return batch


def signed_in(app: Flask, secret: str, address: str) -> Person:
    person = Person(app, address)
    assert person.sign_in(secret).status_code == 303
    return person


def test_a_row_that_is_kept_is_of_one_s_own_role(
    app: Flask, engine: Engine, client: ClientSecret, person: Person, ended: str
) -> None:
    reader = signed_in(
        app, create_key(engine, client.client_id, scopes=["batches.read"]).secret, "192.0.2.31"
    )
    admin = signed_in(app, create_client(engine, f"boss {uuid4()}", ["admin"]).secret, "192.0.2.32")
    stranger = signed_in(app, create_client(engine, f"else {uuid4()}").secret, "192.0.2.33")
    box = f'name="id" value="{ended}"'
    for _ in range(2):
        for path in ("/console/batches", "/console/batches/live"):
            assert box in person.get(path).text
            read = reader.get(path).text
            assert ended in read
            assert box not in read
            assert ">Client</th>" not in read
            of_all = admin.get(f"{path}?client={client.client_id}").text
            assert box in of_all
            assert ">Client</th>" in of_all
            assert ended not in stranger.get(path).text


def test_a_batch_s_page_has_the_forms_of_the_session_that_asks(
    app: Flask, engine: Engine, client: ClientSecret, person: Person, ended: str
) -> None:
    own, delete = f"/console/batches/{ended}", f"/console/batches/{ended}/delete"
    other = signed_in(app, client.secret, "192.0.2.34")
    reader = signed_in(
        app, create_key(engine, client.client_id, scopes=["batches.read"]).secret, "192.0.2.35"
    )
    admin = signed_in(app, create_client(engine, f"boss {uuid4()}", ["admin"]).secret, "192.0.2.36")
    for _ in range(2):
        tokens = [
            set(re.findall(r'name="csrf" value="(\w+)"', each.get(f"{own}/live").text))
            for each in (person, other, admin)
        ]
        assert [len(each) for each in tokens] == [1, 1, 1]
        assert len(set.union(*tokens)) == 3
        assert delete not in reader.get(f"{own}/live").text
        assert "<dt>Client</dt>" in admin.get(f"{own}/live").text
        assert "<dt>Client</dt>" not in person.get(f"{own}/live").text


def test_a_row_says_how_long_ago_it_is_now(
    engine: Engine, client: ClientSecret, submit: Submit
) -> None:
    batch = submit()
    with engine.connect() as connection:
        row = row_of(find_batch(connection, client.client_id, UUID(batch)), None, chosen=False)
    made = row.created_at
    shown = [html_of([row], made + timedelta(seconds=seconds)) for seconds in (1, 59, 61)]
    assert [">1 s ago<" in shown[0], ">59 s ago<" in shown[1], ">1 min ago<" in shown[2]] == [
        True
    ] * 3


def test_what_changes_is_shown_at_once(person: Person, engine: Engine, ended: str) -> None:
    assert "for some eyes" in person.get("/console/batches/live").text
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE batches SET name = 'renamed since' WHERE id = :id"), {"id": ended}
        )
    assert "renamed since" in person.get("/console/batches/live").text
    assert "renamed since" in person.get(f"/console/batches/{ended}/live").text


@pytest.mark.parametrize(
    ("path", "most"), [("/console/batches/{batch}/live", 2), ("/console/batches/live", 3)]
)
def test_a_page_left_open_costs_few_statements(
    person: Person, engine: Engine, app: Flask, ended: str, path: str, most: int
) -> None:
    asked = path.format(batch=ended)
    person.get(asked)
    statements: list[str] = []
    used = app.extensions["batchline"].engine

    def see(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        # What is read at most once a second, by whoever comes first.
        if "served_operations" not in statement and "worker_operations" not in statement:
            statements.append(statement)

    event.listen(used, "before_cursor_execute", see)
    try:
        assert person.get(asked).status_code == 200
    finally:
        event.remove(used, "before_cursor_execute", see)
    assert 0 < len(statements) <= most, statements


def test_a_batch_s_deliveries_are_found_behind_newer_ones(
    person: Person, app: Flask, client: ClientSecret, engine: Engine, ended: str
) -> None:
    """Those of a batch that has ended are of its time, however many have come since."""
    hook = app.test_client().post(
        "/v1/webhooks",
        json={"url": "https://127.0.0.1:9/"},
        headers={"Authorization": f"Bearer {client.secret}"},
    )
    own, now = new_id(), datetime.now(UTC)
    later = [earliest_id(now, 3_600_000 + n) for n in range(300)]
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO webhook_deliveries (id, webhook_id, batch_id, event, body, status, "
                "finished_at, next_at) "
                "VALUES (:id, :hook, :batch, 'batch.finished', '{}', 'FAILED', now(), NULL)"
            ),
            [
                {"id": each, "hook": hook.get_json()["id"], "batch": batch}
                for each, batch in ((own, ended), *((one, new_id()) for one in later))
            ],
        )
    shown = person.get(f"/console/batches/{ended}/live").text
    assert shown.count('id="delivery-') == 1
    assert f'id="delivery-{own}"' in shown
