"""Webhooks over the API, and from a batch's end to its receiver by real workers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import Engine, text

from app.batches.actions.cancel import cancel
from app.batches.actions.lock import lock_batch
from app.batches.long_work import IN_REQUEST
from app.clients.credentials import ClientSecret, create_client
from app.clients.keys import create_key
from app.core.errors import BatchlineError
from app.core.settings import Settings
from app.db import transaction
from app.webhooks.recording import BATCH_FINISHED, record, wants
from tests.api.conftest import Caller, make_app
from tests.support.receiver import Reply, receiving
from tests.support.stack import Stack, wait_for


@pytest.fixture
def http(stack: Stack, client: ClientSecret) -> Iterator[httpx.Client]:
    with stack.http(client) as http:
        yield http


def register(http: httpx.Client, url: str, *events: str) -> dict[str, Any]:
    wanted = list(events) or ["batch.finished"]
    answer = http.post("/v1/webhooks", json={"url": url, "events": wanted})
    assert answer.status_code == 201, answer.text
    assert answer.json()["secret"].startswith("whsec_")
    webhook: dict[str, Any] = answer.json()
    return webhook


def test_the_end_of_a_batch_is_told(stack: Stack, http: httpx.Client) -> None:
    with receiving(lambda _: Reply(200, b"thanks")) as receiver:
        webhook = register(http, receiver.url)
        request = {
            "operation": "test.bulk",
            "items": [{"do": "succeed"}, {"do": "reject"}],
            "metadata": {"run": 7},
        }
        submitted = http.post("/v1/batches", json=request).json()
        [received] = receiver.wait_for(1)
        event = received.verified(webhook["secret"])
        batch = http.get(f"/v1/batches/{submitted['id']}").json()
        assert event == {
            "type": "batch.finished",
            "timestamp": batch["finishedAt"],
            "data": batch,
        }
        assert batch["status"] == "PARTIAL"

        deliveries = f"/v1/webhooks/{webhook['id']}/deliveries"
        delivery = wait_for(
            lambda: next(
                (one for one in http.get(deliveries).json()["data"] if one["finishedAt"]), None
            )
        )
        assert delivery["batchId"] == submitted["id"]
        assert delivery["event"] == "batch.finished"
        assert (delivery["status"], delivery["attempts"]) == ("DELIVERED", 1)
        assert (delivery["responseStatus"], delivery["responseBody"]) == (200, None), (
            "it is private"
        )
        assert delivery["error"] is None

        again = http.post(f"{deliveries}/{delivery['id']}/resend")
        assert again.status_code == 202
        assert again.json()["status"] == "PENDING"
        _, second = receiver.wait_for(2)
        assert second.verified(webhook["secret"]) == event
        assert second.headers["webhook-id"] == received.headers["webhook-id"]


def test_what_is_to_be_approved_is_told(
    stack: Stack, http: httpx.Client, engine: Engine, client: ClientSecret
) -> None:
    key = create_key(engine, client.client_id)
    with receiving() as receiver, stack.http(key) as other:
        webhook = register(http, receiver.url, "batch.awaiting_approval", "batch.finished")
        request = {"operation": "test.bulk", "items": [{"do": "succeed"}, 7], "approval": True}
        path = f"/v1/batches/{http.post('/v1/batches', json=request).json()['id']}"
        [received] = receiver.wait_for(1)
        event = received.verified(webhook["secret"])
        assert (event["type"], event["data"]) == ("batch.awaiting_approval", http.get(path).json())
        assert (event["data"]["status"], event["data"]["summary"]["invalid"]) == ("AWAITING", 1)
        assert other.post(f"{path}/approve").status_code == 202
        _, received = receiver.wait_for(2)
        event = received.verified(webhook["secret"])
        assert (event["type"], event["data"]["status"]) == ("batch.finished", "PARTIAL")


def test_beginnings_and_pauses_are_told_to_whoever_asks(stack: Stack, http: httpx.Client) -> None:
    with receiving() as receiver:
        webhook = register(http, receiver.url, "batch.started", "batch.paused")
        request = {"operation": "test.bulk", "items": [{"do": "succeed"}]}
        submitted = http.post("/v1/batches", json=request).json()["id"]
        stack.finished(http, submitted)
        [received] = receiver.wait_for(1)
        event = received.verified(webhook["secret"])
        assert (event["type"], event["data"]["status"]) == ("batch.started", "RUNNING")
        assert event["timestamp"] == event["data"]["startedAt"]
        slow = {"operation": "demo.sleep", "items": [{"seconds": 0.2}] * 400}
        path = f"/v1/batches/{http.post('/v1/batches', json=slow).json()['id']}"
        http.post(f"{path}/pause").raise_for_status()

        def paused() -> dict[str, Any] | None:
            told = [one.verified(webhook["secret"]) for one in list(receiver.received)]
            return next((one["data"] for one in told if one["type"] == "batch.paused"), None)

        told = wait_for(paused)
        assert (told["id"], told["status"]) == (path.rpartition("/")[2], "PAUSED")
        http.post(f"{path}/cancel").raise_for_status()


def test_a_retried_batch_ends_again_and_so_does_a_canceled_one(
    stack: Stack, http: httpx.Client
) -> None:
    with receiving() as receiver:
        webhook = register(http, receiver.url)
        request = {"operation": "test.bulk", "items": [{"do": "reject"}]}
        batch_id = http.post("/v1/batches", json=request).json()["id"]
        receiver.wait_for(1)
        stack.finished(http, batch_id)
        http.post(f"/v1/batches/{batch_id}/retry").raise_for_status()
        receiver.wait_for(2)
        opened = http.post("/v1/batches", json={"operation": "test.bulk", "start": "manual"})
        http.post(f"/v1/batches/{opened.json()['id']}/cancel").raise_for_status()
        told = [one.verified(webhook["secret"])["data"] for one in receiver.wait_for(3)]
    assert [batch["status"] for batch in told] == ["FAILED", "FAILED", "CANCELED"]
    assert [batch["id"] for batch in told] == [batch_id, batch_id, opened.json()["id"]]


def test_what_nobody_was_called_for_the_sweep_finds(
    stack: Stack, http: httpx.Client, engine: Engine, client: ClientSecret
) -> None:
    """A delivery whose message was lost: only its row is there."""
    with receiving() as receiver:
        webhook = register(http, receiver.url)
        with transaction(engine) as connection:
            record(
                connection,
                wants(connection, client.client_id, BATCH_FINISHED),
                BATCH_FINISHED,
                at=datetime.now(UTC),
                data={"id": "lost"},
                batch_id=uuid4(),
            )
        [received] = receiver.wait_for(1)
        assert received.verified(webhook["secret"])["data"] == {"id": "lost"}


def test_a_batch_that_is_not_committed_tells_nobody(
    engine: Engine, client: ClientSecret, api: Caller
) -> None:
    """The delivery is written in the transaction that ends the batch, and only by its commit."""
    webhook = api.post("/v1/webhooks", {"url": "https://example.com/"}).json
    batch_id = UUID(api.opened([{}]))

    def deliveries() -> list[Any]:
        found: list[Any] = api.get(f"/v1/webhooks/{webhook['id']}/deliveries").json["data"]
        return found

    with suppress(BatchlineError), transaction(engine) as connection:
        cancel(connection, lock_batch(connection, client.client_id, batch_id), IN_REQUEST)
        count = text("SELECT count(*) FROM webhook_deliveries WHERE webhook_id = :id")
        assert connection.execute(count, {"id": webhook["id"]}).scalar() == 1
        raise BatchlineError("the commit never comes")
    assert deliveries() == []
    api.post(f"/v1/batches/{batch_id}/cancel")
    assert [delivery["batchId"] for delivery in deliveries()] == [str(batch_id)]


def test_webhooks_are_listed_shown_and_removed(api: Caller) -> None:
    made = [api.post("/v1/webhooks", {"url": f"https://example.com/{n}"}).json for n in range(5)]
    assert made[0]["events"] == ["batch.finished"]
    first = api.get("/v1/webhooks?limit=3").json
    rest = api.get(f"/v1/webhooks?limit=3&cursor={first['next']}").json
    listed = first["data"] + rest["data"]
    assert [webhook["id"] for webhook in listed] == [webhook["id"] for webhook in reversed(made)]
    assert rest["next"] is None
    assert all("secret" not in webhook for webhook in listed)
    one = api.get(f"/v1/webhooks/{made[0]['id']}").json
    assert one == listed[-1]
    assert api.send("DELETE", f"/v1/webhooks/{made[0]['id']}").status_code == 204
    assert api.get(f"/v1/webhooks/{made[0]['id']}").status_code == 404
    assert api.send("DELETE", f"/v1/webhooks/{made[0]['id']}").status_code == 404


def test_a_secret_is_rotated(api: Caller) -> None:
    webhook = api.post("/v1/webhooks", {"url": "https://example.com/"}).json
    rotated = api.post(f"/v1/webhooks/{webhook['id']}/rotate")
    assert rotated.status_code == 200
    assert rotated.json["secret"] != webhook["secret"]
    assert rotated.json["previousSecretUntil"] > webhook["createdAt"]
    assert "secret" not in api.get(f"/v1/webhooks/{webhook['id']}").json


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/url"]),
        ({"url": 5}, ["/url"]),
        ({"url": "ftp://example.com"}, ["/url"]),
        ({"url": "https://example.com\x00"}, ["/url"]),
        ({"url": "https://example.com", "events": ["x"]}, ["/events/0"]),
        ({"url": "https://example.com", "events": []}, ["/events"]),
        ({"url": "https://example.com", "secret": "x"}, ["/secret"]),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(api: Caller, body: dict[str, Any], pointers: list[str]) -> None:
    answer = api.post("/v1/webhooks", body)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json["errors"]] == pointers


def test_private_addresses_are_refused_unless_allowed(
    settings: Settings, api: Caller, client: ClientSecret
) -> None:
    private = {"url": "http://10.0.0.1/hook"}
    assert api.post("/v1/webhooks", private).status_code == 201
    apps = make_app(replace(settings, webhook_allow_private=False))
    try:
        assert Caller(next(apps), client).post("/v1/webhooks", private).status_code == 422
    finally:
        next(apps, None)


@pytest.mark.parametrize(
    "url",
    [
        "https://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "https://168.63.129.16/",
        "https://2852039166/",
        "https://[64:ff9b::a9fe:a9fe]/",
        "http://8.8.8.8/",
    ],
)
def test_an_address_that_may_not_be_reached_is_refused_when_it_is_made(
    api: Caller, url: str
) -> None:
    """Whatever is allowed: all private ones are, here."""
    refused = api.post("/v1/webhooks", {"url": url})
    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json["errors"]] == ["/url"]


def test_they_need_their_scope_and_are_nobody_elses(engine: Engine, app: Any, api: Caller) -> None:
    webhook = api.post("/v1/webhooks", {"url": "https://example.com/"}).json
    reader = Caller(
        app, create_client(engine, f"reads {uuid4()}", ["batches.read", "batches.write"])
    )
    stranger = Caller(app, create_client(engine, f"stranger {uuid4()}"))
    paths = [
        ("GET", f"/v1/webhooks/{webhook['id']}"),
        ("GET", f"/v1/webhooks/{webhook['id']}/deliveries"),
        ("POST", f"/v1/webhooks/{webhook['id']}/rotate"),
        ("POST", f"/v1/webhooks/{webhook['id']}/deliveries/{uuid4()}/resend"),
        ("DELETE", f"/v1/webhooks/{webhook['id']}"),
    ]
    for method, path in paths:
        assert reader.send(method, path).status_code == 403, path
        assert stranger.send(method, path).status_code == 404, path
    assert stranger.get("/v1/webhooks").json == {"data": [], "next": None}
    assert reader.post("/v1/webhooks", {"url": "https://example.com/"}).status_code == 403
