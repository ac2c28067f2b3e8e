"""Operations, workers, webhooks and activity."""

from __future__ import annotations

from uuid import uuid4

from flask import Flask
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret, create_client
from app.clients.keys import create_key
from tests.console.conftest import Person, fields_of


def signed_in(app: Flask, secret: str) -> Person:
    person = Person(app, "192.0.2.9")
    assert person.sign_in(secret).status_code == 303
    return person


def test_the_pages_are_there_and_led_to(person: Person) -> None:
    first = person.get("/console").text
    for path in ("operations", "workers", "webhooks", "activity"):
        assert f'href="/console/{path}"' in first
        page = person.get(f"/console/{path}")
        assert page.status_code == 200
        assert page.text.count("<h1") == 1


def test_an_admin_opens_and_closes_a_breaker(
    app: Flask, engine: Engine, person: Person, client: ClientSecret
) -> None:
    switch = "/console/operations/demo.sleep/breaker"
    assert switch not in person.get("/console/operations").text
    token = fields_of(person.get("/console").text, "/console/sign-out")["csrf"]
    assert person.post(switch, {"csrf": token, "state": "open"}).status_code == 403
    boss = signed_in(app, create_client(engine, f"boss {uuid4()}", ["admin"]).secret)
    page = boss.get("/console/operations")
    assert boss.fill(page, switch).status_code == 303
    try:
        page = boss.get("/console/operations")
        assert "breaker open" in page.text
        assert 'aria-label="Close demo.sleep"' in page.text
    finally:
        assert boss.fill(page, switch, state="closed").status_code == 303
    assert 'aria-label="Open demo.sleep"' in boss.get("/console/operations").text
    assert boss.fill(page, switch, state="ajar").status_code == 422


def test_a_delivery_is_sent_again_and_a_secret_rotated(
    app: Flask, engine: Engine, person: Person, client: ClientSecret
) -> None:
    answer = app.test_client().post(
        "/v1/webhooks",
        json={"url": "https://127.0.0.1:9/", "events": ["batch.finished"]},
        headers={"Authorization": f"Bearer {client.secret}"},
    )
    assert answer.json is not None
    hook = answer.json["id"]
    with engine.begin() as connection:
        delivery = uuid4()
        connection.execute(
            text(
                "INSERT INTO webhook_deliveries (id, webhook_id, event, body, status, finished_at, "
                "next_at) VALUES (:id, :hook, 'batch.finished', '{}', 'FAILED', now(), NULL)"
            ),
            {"id": delivery, "hook": hook},
        )
    own = f"/console/webhooks/{hook}"
    page = person.get(own)
    assert person.fill(page, f"{own}/deliveries/{delivery}/resend").status_code == 303
    rotated = person.fill(page, f"{own}/rotate")
    assert "whsec_" in rotated.text
    assert "whsec_" not in person.get(own).text
    for action in ("webhook.resend", "webhook.rotate"):
        assert action in person.get(f"/console/activity?action={action}").text
    other = signed_in(app, create_client(engine, f"other {uuid4()}").secret)
    assert other.get(own).status_code == 404
    reader = signed_in(app, create_key(engine, client.client_id, scopes=["batches.read"]).secret)
    assert reader.get(own).status_code == 403
    assert 'href="/console/webhooks"' not in reader.get("/console").text


def test_activity_is_one_s_own(app: Flask, engine: Engine, person: Person) -> None:
    other = create_client(engine, f"other {uuid4()}")
    key = create_key(engine, other.client_id, name="not for all")
    signed_in(app, key.secret)
    assert "not for all" not in person.get("/console/activity").text
    boss = signed_in(app, create_client(engine, f"boss {uuid4()}", ["admin"]).secret)
    assert "not for all" in boss.get("/console/activity?action=session.sign_in").text
    assert person.get("/console/activity?action=%00&before=x").status_code == 200
