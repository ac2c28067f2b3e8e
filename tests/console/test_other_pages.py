"""Operations, workers, webhooks and activity."""

from __future__ import annotations

import json
from uuid import UUID, uuid4

from flask import Flask
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret, create_client
from app.clients.keys import create_key
from app.core.ids import new_id
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
    tried = person.fill(page, f"{own}/test")
    assert tried.headers["Location"] == f"{own}?done=test"
    assert "An event is sent" in person.get(f"{own}?done=test").text
    with engine.connect() as connection:
        sent = connection.execute(
            text("SELECT body FROM webhook_deliveries WHERE webhook_id = :id AND event = :event"),
            {"id": hook, "event": "webhook.test"},
        )
        [body] = sent.scalars()
    assert json.loads(body)["type"] == "webhook.test"
    assert json.loads(body)["data"] == {"webhookId": hook}
    page = person.get(own)
    assert person.fill(page, f"{own}/deliveries/{delivery}/resend").status_code == 303
    rotated = person.fill(page, f"{own}/rotate")
    assert "whsec_" in rotated.text
    assert "whsec_" not in person.get(own).text
    for action in ("webhook.test", "webhook.resend", "webhook.rotate"):
        assert action in person.get(f"/console/activity?action={action}").text
    other = signed_in(app, create_client(engine, f"other {uuid4()}").secret)
    assert other.get(own).status_code == 404
    token = fields_of(other.get("/console").text, "/console/sign-out")["csrf"]
    for action in ("test", "rotate", f"deliveries/{delivery}/resend"):
        assert other.post(f"{own}/{action}", {"csrf": token}).status_code == 404
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE webhooks SET disabled_at = now(), disabled_reason = 'gone' WHERE id = :h"),
            {"h": hook},
        )
    token = fields_of(person.get("/console").text, "/console/sign-out")["csrf"]
    assert f"{own}/test" not in person.get(own).text
    assert person.post(f"{own}/test", {"csrf": token}).status_code == 409
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


def test_a_delivery_is_sent_again_from_its_batch(
    app: Flask, engine: Engine, person: Person, client: ClientSecret
) -> None:
    api = {"Authorization": f"Bearer {client.secret}"}
    hook, batch = (
        app.test_client().post(path, json=body, headers=api).get_json()["id"]
        for path, body in (
            ("/v1/webhooks", {"url": "https://127.0.0.1:9/?token=t0ken"}),
            ("/v1/batches", {"operation": "demo.sleep", "start": "manual"}),
        )
    )
    delivery = new_id()
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO webhook_deliveries (id, webhook_id, batch_id, event, body, status, "
                "finished_at, next_at) "
                "VALUES (:id, :hook, :batch, 'batch.paused', '{}', 'FAILED', now(), NULL)"
            ),
            {"id": delivery, "hook": hook, "batch": batch},
        )
    own = f"/console/batches/{batch}"
    resend = f"/console/webhooks/{hook}/deliveries/{delivery}/resend"
    page = person.get(own)
    assert "t0ken" in page.text
    answer = person.fill(page, resend)
    assert answer.headers["Location"] == own
    with engine.connect() as connection:
        status = connection.execute(
            text("SELECT status FROM webhook_deliveries WHERE id = :id"), {"id": delivery}
        ).scalar_one()
    assert status == "PENDING"
    # Who may not see webhooks sees that somebody was told, and not where.
    for scopes in (["batches.read"], ["admin"]):
        of = create_key(engine, client.client_id, scopes=scopes)
        shown = signed_in(app, of.secret).get(own).text
        assert "batch.paused" in shown
        assert "t0ken" not in shown
        assert resend not in shown
    # Nowhere but within the console.
    elsewhere = person.fill(page, resend, back="https://example.com/")
    assert elsewhere.headers["Location"].startswith(f"/console/webhooks/{hook}")


def test_activity_is_narrowed_down(
    app: Flask, engine: Engine, person: Person, client: ClientSecret
) -> None:
    other = create_key(engine, client.client_id, name="night shift")
    api = app.test_client()
    made = {}
    for key in (client, other):
        answer = api.post(
            "/v1/batches",
            json={"operation": "demo.sleep", "start": "manual"},
            headers={"Authorization": f"Bearer {key.secret}"},
        )
        made[key.key_id] = answer.get_json()["id"]
    mine, theirs = made[client.key_id], made[other.key_id]
    path = f"/console/activity?action=batch.submit&key={other.key_id}"
    page = person.get(path).text
    assert theirs in page
    assert mine not in page
    # A chip for each, which leads to the page without it.
    assert f'href="/console/activity?key={other.key_id}"' in page
    assert 'href="/console/activity?action=batch.submit"' in page
    page = person.get(f"/console/activity?batch={mine}").text
    assert page.count("batch.submit") > 0
    assert theirs not in page
    assert mine not in person.get("/console/activity?createdBefore=2020-01-01T00:00").text
    assert mine in person.get("/console/activity?createdAfter=2020-01-01T00:00").text
    boss = signed_in(app, create_client(engine, f"boss {uuid4()}", ["admin"]).secret)
    nobody = UUID(int=7)
    assert mine in boss.get(f"/console/activity?client={client.client_id}").text
    assert mine not in boss.get(f"/console/activity?client={nobody}").text
    # Others' are not asked for by whoever is none.
    assert mine in person.get(f"/console/activity?client={nobody}").text
    assert person.get("/console/activity?key=x&batch=y&createdAfter=z").status_code == 200


def test_what_an_operation_costs(engine: Engine, person: Person) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO operation_costs (operation, seconds_per_item, weight, items, seconds, "
                "items_squared, items_seconds) VALUES ('demo.sleep', 0.0351, 1, 1, 1, 1, 1) "
                "ON CONFLICT (operation) DO UPDATE SET seconds_per_item = 0.0351"
            )
        )
    section = person.get("/console/operations").text.split('id="demo.sleep"')[1]
    assert "35 ms</span> an item" in section.split("</section>")[0]
    assert person.get("/console/operations/live").status_code == 200


def test_workers_are_shown_with_what_they_are_at(
    app: Flask, engine: Engine, person: Person, client: ClientSecret
) -> None:
    """One's own batches by name; of others' only that there is one."""
    others = create_client(engine, f"others {uuid4()}")
    worker, pid = uuid4(), 4_000_000 + uuid4().int % 1000
    batches = {each.client_id: uuid4() for each in (client, others)}
    with engine.begin() as connection:
        connection.execute(
            text(
                """INSERT INTO workers (id, hostname, pid, queue, slots, operations, undoes)
                   VALUES (:id, 'here', :pid, 'fast', 2, '{}', true)"""
            ),
            {"id": worker, "pid": pid},
        )
        for client_id, batch_id in batches.items():
            connection.execute(
                text(
                    """INSERT INTO batches (id, client_id, name, operation, status, total)
                       VALUES (:batch, :client, :name, 'demo.sleep', 'RUNNING', 1)"""
                ),
                {"batch": batch_id, "client": client_id, "name": f"of {client_id}"},
            )
            connection.execute(
                text(
                    """INSERT INTO slices (batch_id, wave, number, queue, phase, first_index,
                                           last_index, size, state, claim, worker_id, claimed_at)
                       VALUES (:batch, 1, 0, 'fast', 'run', 0, 0, 1, 'CLAIMED', :claim, :worker,
                               now())"""
                ),
                {"batch": batch_id, "claim": uuid4(), "worker": worker},
            )
    try:
        boss = signed_in(app, create_client(engine, f"boss {uuid4()}", ["admin"]).secret)
        for reader, seen in ((person, {client.client_id}), (boss, set(batches))):
            page = reader.get("/console/workers").text
            [row] = [each for each in page.split("<tr>") if f">{pid}<" in each]
            assert row.count("another client") == len(batches) - len(seen)
            for client_id, batch_id in batches.items():
                assert (f"of {client_id}" in row) == (client_id in seen)
                assert (f'href="/console/batches/{batch_id}"' in row) == (client_id in seen)
    finally:
        with engine.begin() as connection:
            connection.execute(
                text("DELETE FROM batches WHERE id = ANY(:ids)"), {"ids": list(batches.values())}
            )
            connection.execute(text("DELETE FROM workers WHERE id = :id"), {"id": worker})
