"""The audit: a row for each action that changed something, written with it, and who may read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.audit import reading
from app.audit.reading import AuditFilter, list_audit
from app.audit.retention import forget_old
from app.clients.credentials import ClientSecret, create_client
from app.clients.keys import create_key
from app.core.ids import earliest_id
from app.core.settings import Settings
from app.db import transaction
from tests.api.conftest import ITEM, MASTERLIST, Caller, make_app
from tests.api.test_reading import ended

Audit = Callable[..., list[dict[str, Any]]]
FIELDS = {
    "id", "at", "action", "clientId", "keyId", "keyName", "address", "requestId", "batchId",
    "detail",
}  # fmt: skip


@pytest.fixture(scope="module")
def engine(own_engine: Engine) -> Engine:
    """A database of its own: what is resumed or tried again for a moment here must not be run."""
    return own_engine


@pytest.fixture(scope="module")
def app(own_settings: Settings, own_engine: Engine) -> Iterator[Flask]:
    """The application there."""
    yield from make_app(own_settings)


@pytest.fixture
def audit(api: Caller) -> Audit:
    """What the client's own audit shows, newest first, but for that it was made."""

    def audit(query: str = "") -> list[dict[str, Any]]:
        answer = api.get(f"/v1/audit?{query}")
        assert answer.status_code == 200, answer.text
        return [entry for entry in answer.json["data"] if entry["action"] != "client.create"]

    return audit


@pytest.fixture
def over(api: Caller, engine: Engine) -> str:
    """A batch that has ended, one of its items FAILED and one INVALID."""
    batch_id = api.opened([ITEM] * 4)
    ended(engine, batch_id, completed=2, failed=1, invalid=1)
    return batch_id


@pytest.mark.parametrize("many", [1, 300])
def test_a_submission_is_told_with_who_made_it(
    api: Caller, audit: Audit, client: ClientSecret, many: int
) -> None:
    """Small ones are written by one statement with their row, larger ones are streamed."""
    begun = datetime.now(UTC)
    answer = api.submit(
        {"operation": "catalog.masterlist", "start": "manual", "items": [ITEM] * many},
        headers={"X-Request-Id": "feed-7"},
    )
    [entry] = audit()
    assert entry.keys() == FIELDS
    assert UUID(entry["id"]).version == 7
    at = datetime.fromisoformat(entry["at"])
    assert begun - timedelta(seconds=1) < at < datetime.now(UTC) + timedelta(seconds=1)
    # To the millisecond, as the id has it.
    assert UUID(entry["id"]).int >> 80 == round(at.timestamp() * 1000)
    assert (entry["action"], entry["batchId"]) == ("batch.submit", answer.json["id"])
    assert (entry["clientId"], entry["keyId"]) == (str(client.client_id), str(client.key_id))
    assert (entry["address"], entry["requestId"], entry["keyName"]) == ("127.0.0.1", "feed-7", None)
    assert entry["detail"] == {
        "items": many, "operation": "catalog.masterlist", "name": None, "dialect": "native",
        "status": "OPEN",
    }  # fmt: skip


def test_a_key_is_named(app: Flask, engine: Engine, audit: Audit, client: ClientSecret) -> None:
    key = create_key(engine, client.client_id, name="nightly")
    Caller(app, key).opened()
    newest = audit()[0]
    assert (newest["keyId"], newest["keyName"]) == (str(key.key_id), "nightly")
    assert [entry["action"] for entry in audit(f"key={key.key_id}")] == ["batch.submit"]


def actions(api: Caller, batch_id: str, engine: Engine) -> None:
    """Everything that can be done with a batch, once each."""
    path = f"/v1/batches/{batch_id}"
    api.post(f"{path}/items?", [ITEM, ITEM])
    api.send("PATCH", path, json={"name": "new", "metadata": {"a": 1}})
    api.send("PATCH", path, json={"scheduledAt": "2099-01-01T00:00:00Z"})
    with engine.begin() as connection:
        # As if it had been started, but so that no worker of the session's comes for it.
        connection.execute(
            text("UPDATE batches SET status = 'PENDING' WHERE id = :id"), {"id": batch_id}
        )
    api.post(f"{path}/pause")
    api.post(f"{path}/resume")
    api.post(f"{path}/pause")
    api.post(f"{path}/cancel")
    api.post(f"{path}/retry", {"statuses": ["CANCELED"]})
    api.post(f"{path}/pause")
    api.post(f"{path}/cancel")
    api.post(f"{path}/reset")
    api.post(f"{path}/items", [ITEM])
    api.post(f"{path}/cancel")


def test_each_action_is_told_once(api: Caller, audit: Audit, engine: Engine) -> None:
    batch_id = api.opened([ITEM])
    actions(api, batch_id, engine)
    assert api.send("DELETE", f"/v1/batches/{batch_id}").status_code == 204
    found = audit(f"batch={batch_id}")
    told = [(entry["action"].removeprefix("batch."), entry["detail"]) for entry in reversed(found)]
    later = "2099-01-01T00:00:00Z"
    assert told[1:] == [
        ("append", {"items": 2}),
        ("amend", {"changed": ["name", "metadata"], "name": "new"}),
        ("amend", {"changed": ["scheduledAt"], "scheduledAt": later}),
        ("pause", {}),
        ("resume", {}),
        ("pause", {}),
        ("cancel", {}),
        ("retry", {"statuses": ["CANCELED"], "items": 3}),
        ("pause", {}),
        ("cancel", {}),
        ("reset", {"items": 3}),
        ("append", {"items": 1}),
        ("cancel", {}),
        ("delete", {"items": 1, "status": "CANCELED"}),
    ]
    assert {entry["address"] for entry in found} == {"127.0.0.1"}


def test_start_is_told(api: Caller, audit: Audit) -> None:
    batch_id = api.opened([ITEM])
    assert api.post(f"/v1/batches/{batch_id}/start").status_code == 202
    assert [entry["action"] for entry in audit()] == ["batch.start", "batch.submit"]


def test_what_was_refused_repeated_or_changed_nothing_is_not_told(
    api: Caller, audit: Audit, over: str
) -> None:
    before = audit()
    path = f"/v1/batches/{over}"
    for action in ("start", "pause", "resume", "cancel"):
        assert api.post(f"{path}/{action}").status_code == 409
    assert api.post(f"{path}/items", [ITEM]).status_code == 409
    assert api.send("PATCH", path, json={"scheduledAt": None}).status_code == 409
    assert api.send("PATCH", path, json={"nonsense": 1}).status_code == 422
    assert api.send("PATCH", path, json={}).status_code == 200
    assert api.post(f"{path}/retry", {"statuses": ["CANCELED"]}).status_code == 409
    assert api.submit({"operation": "none", "items": [ITEM]}).status_code == 422
    assert api.submit({"operation": "catalog.masterlist", "items": []}).status_code == 422
    bad = b'{"asin": "A1"}\n' * 300 + b"{"
    kind = {"content_type": "application/x-ndjson"}
    assert api.submit(bad, query=MASTERLIST, **kind).status_code == 400
    assert api.post(f"/v1/batches/{api.opened()}/items", []).status_code == 200
    assert [entry["action"] for entry in audit()[: -len(before)]] == ["batch.submit"]


def test_a_replay_is_not_told(api: Caller, audit: Audit) -> None:
    body = {"operation": "catalog.masterlist", "start": "manual", "items": [ITEM]}
    for replayed in (None, "true"):
        answer = api.submit(body, headers={"Idempotency-Key": "k"})
        assert answer.headers.get("Idempotent-Replayed") == replayed
    assert len(audit()) == 1


def test_webhooks_are_told_without_what_may_be_secret(api: Caller, audit: Audit) -> None:
    made = api.post("/v1/webhooks", {"url": "https://hooks.example.com/T0/secret?token=secret"})
    path = f"/v1/webhooks/{made.json['id']}"
    api.post(f"{path}/rotate")
    api.send("DELETE", path)
    assert api.send("DELETE", path).status_code == 404
    found = audit()
    told = {entry["action"]: entry["detail"] for entry in found}
    which = {"webhookId": made.json["id"]}
    assert told == {
        "webhook.create": {**which, "host": "hooks.example.com", "events": ["batch.finished"]},
        "webhook.rotate": which,
        "webhook.delete": which,
    }
    assert "secret" not in str(found)


def test_an_action_that_cannot_be_told_is_not_done(
    api: Caller, audit: Audit, engine: Engine, client: ClientSecret
) -> None:
    """They are one transaction, so neither is there without the other."""
    batch_id = api.opened([ITEM])
    with engine.begin() as connection:
        connection.execute(
            text(
                f"""
                CREATE FUNCTION refuse_audit() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN RAISE 'no room'; END $$;
                CREATE TRIGGER refuse_audit BEFORE INSERT ON audit FOR EACH ROW
                WHEN (NEW.client_id = '{client.client_id}') EXECUTE FUNCTION refuse_audit()
                """
            )
        )
    before = [entry["id"] for entry in api.get("/v1/batches").json["data"]]
    try:
        assert api.post(f"/v1/batches/{batch_id}/cancel").status_code == 500
        assert api.post(f"/v1/batches/{batch_id}/items", [ITEM]).status_code == 500
        for many in (1, 300):
            body = {"operation": "catalog.masterlist", "start": "manual", "items": [ITEM] * many}
            assert api.submit(body).status_code == 500
    finally:
        with engine.begin() as connection:
            connection.execute(text("DROP FUNCTION refuse_audit() CASCADE"))
    batch = api.get(f"/v1/batches/{batch_id}").json
    assert (batch["status"], batch["summary"]["total"]) == ("OPEN", 1)
    assert [entry["id"] for entry in api.get("/v1/batches").json["data"]] == before
    assert len(audit()) == 1


def test_rows_outlive_their_batch(api: Caller, audit: Audit, over: str) -> None:
    api.send("DELETE", f"/v1/batches/{over}")
    assert api.get(f"/v1/batches/{over}").status_code == 404
    assert [entry["action"] for entry in audit(f"batch={over}")] == ["batch.delete", "batch.submit"]


def test_nobody_sees_what_is_anothers(
    app: Flask, engine: Engine, api: Caller, audit: Audit, over: str
) -> None:
    other = Caller(app, create_client(engine, f"other {uuid4()}"))
    assert other.get(f"/v1/audit?batch={over}").json == {"data": [], "next": None}
    assert {entry["action"] for entry in other.get("/v1/audit").json["data"]} == {"client.create"}
    blind = Caller(app, create_client(engine, f"blind {uuid4()}", ["batches.write"]))
    assert blind.get("/v1/audit").status_code == 403
    assert Caller(app, None).get("/v1/audit").status_code == 401


def test_admin_sees_what_all_did(
    app: Flask, engine: Engine, over: str, client: ClientSecret
) -> None:
    admin = Caller(app, create_client(engine, f"admin {uuid4()}", ["admin"]))
    [entry] = admin.get(f"/v1/audit?batch={over}").json["data"]
    assert entry["clientId"] == str(client.client_id)
    newest = admin.get("/v1/audit?limit=1").json["data"][0]
    assert newest["action"] == "client.create"


def test_filters_and_pages(api: Caller, audit: Audit) -> None:
    ids = [api.opened() for _ in range(5)]
    api.post(f"/v1/batches/{ids[2]}/cancel")
    everything = audit()
    assert [entry["action"] for entry in audit("action=batch.cancel")] == ["batch.cancel"]
    assert audit("action=batch.nonsense") == []
    assert audit(f"key={uuid4()}") == []
    middle = everything[3]
    later = audit(f"after={middle['at']}")
    earlier = audit(f"before={middle['at']}")
    assert len(later) + len(earlier) >= len(everything) - 1
    assert all(entry["at"] >= middle["at"] for entry in later)
    assert all(entry["at"] <= middle["at"] for entry in earlier)
    assert audit("after=2099-01-01T00:00:00Z") == audit("before=0001-01-01T00:00:00Z") == []
    assert audit("after=0001-01-01T00:00:00Z&before=9999-12-31T23:59:59Z") == everything
    paged: list[dict[str, Any]] = []
    query = "limit=2"
    while query:
        page = api.get(f"/v1/audit?{query}").json
        paged += page["data"]
        query = f"limit=2&cursor={page['next']}" if page["next"] else ""
    assert paged[: len(everything)] == everything


@pytest.mark.parametrize(
    "query",
    [
        "batch=1",
        "key=me",
        "after=yesterday",
        "before=1",
        "limit=0",
        "limit=1001",
        "cursor=x",
        "who=1",
    ],
)
def test_what_cannot_be_asked_is_named(api: Caller, query: str) -> None:
    answer = api.get(f"/v1/audit?{query}")
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == f"/{query.partition('=')[0]}"


def test_a_rare_action_is_found_in_bounded_looks(
    api: Caller, audit: Audit, client: ClientSecret, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A filter that passes over nearly everything costs no more than some rows a page."""
    monkeypatch.setattr(reading, "LOOK", 2)
    api.post(f"/v1/batches/{api.opened()}/cancel")
    for _ in range(5):
        api.opened()
    which = AuditFilter(client.client_id, action="batch.cancel")
    below, found, looks = None, [], 0
    with engine.connect() as connection:
        while True:
            entries, below = list_audit(connection, which, below=below, limit=5)
            found += entries
            looks += 1
            if below is None:
                break
    assert [entry.action for entry in found] == ["batch.cancel"]
    assert looks == 5  # two rows each, and one that finds no more


def test_old_rows_are_forgotten_oldest_first(engine: Engine, client: ClientSecret) -> None:
    long_ago = datetime(2001, 1, 1, tzinfo=UTC)
    with transaction(engine) as connection:
        for day in range(5):
            moment = long_ago + timedelta(days=day)
            connection.execute(
                text(
                    """INSERT INTO audit (id, at, action, client_id)
                    VALUES (:id, :at, :action, :client)"""
                ),
                {
                    "id": earliest_id(moment),
                    "at": moment,
                    "action": f"day.{day}",
                    "client": client.client_id,
                },
            )
    with transaction(engine) as connection:
        assert forget_old(connection, days=0) == 0
        assert forget_old(connection, days=365, at_once=2) == 2
        left = connection.execute(
            text("SELECT action FROM audit WHERE client_id = :client ORDER BY id"),
            {"client": client.client_id},
        ).scalars()
        assert list(left) == ["day.2", "day.3", "day.4", "client.create"]
        assert forget_old(connection, days=365) == 3
        assert forget_old(connection, days=365) == 0
