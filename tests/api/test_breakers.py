"""An admin opens and closes an operation's breaker; how breakers stand is shown to all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.clients.credentials import create_client
from app.metrics.gauges import read_database
from tests.api.conftest import Caller

NAME = "demo.sleep"


@pytest.fixture
def admin(app: Flask, engine: Engine) -> Caller:
    client = create_client(engine, f"admin {uuid4()}", ["admin"])
    return Caller(app, client)


@pytest.fixture(autouse=True)
def _closed(engine: Engine) -> Iterator[None]:
    """No operation stays open for other tests."""
    yield
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM breakers WHERE operation = :name"), {"name": NAME})


def shown(api: Caller) -> dict[str, Any]:
    [entry] = [one for one in api.get("/v1/operations").json["data"] if one["name"] == NAME]
    return dict(entry)


def put(caller: Caller, **body: Any) -> Any:
    return caller.post(f"/v1/operations/{NAME}/breaker", body)


def test_it_is_opened_and_closed_and_written_down(admin: Caller, api: Caller) -> None:
    assert (shown(api)["breaker"], shown(api)["breakers"]) == ("closed", [])
    opened = put(admin, state="open")
    assert opened.status_code == 200
    assert opened.json == shown(api)
    assert opened.json["breaker"] == "open"
    [one] = opened.json["breakers"]
    assert (one["base"], one["state"], one["byHand"]) == (None, "open", True)
    # Once more changes nothing, and is no action.
    assert put(admin, state="open", base=None).json == opened.json
    assert put(admin, state="closed").json["breaker"] == "closed"
    assert put(admin, state="closed").status_code == 200
    done = admin.get("/v1/audit").json["data"]
    assert [(one["action"], one["detail"]) for one in done if "operation." in one["action"]] == [
        ("operation.close", {"operation": NAME, "base": None}),
        ("operation.open", {"operation": NAME, "base": None}),
    ]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"state": "probing"}, "/state"),
        ({}, "/state"),
        ({"state": "open", "base": "nowhere"}, "/base"),
        ({"state": "open", "base": 7}, "/base"),
        ({"state": "open", "until": "noon"}, "/until"),
    ],
    ids=["no state", "none", "no base", "no text", "unknown"],
)
def test_what_is_wrong_is_named(
    admin: Caller, api: Caller, body: dict[str, Any], pointer: str
) -> None:
    refused = put(admin, **body)
    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json["errors"]] == [pointer]
    assert shown(api)["breaker"] == "closed"


def test_a_base_in_the_query_opens_nothing(admin: Caller, api: Caller) -> None:
    """Passed over, it would be all of the operation that is opened."""
    refused = admin.post(f"/v1/operations/{NAME}/breaker?base=x", {"state": "open"})
    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json["errors"]] == ["/base"]
    assert shown(api)["breaker"] == "closed"


def test_an_unknown_operation_is_none(admin: Caller) -> None:
    assert admin.post("/v1/operations/no.such/breaker", {"state": "open"}).status_code == 404


def test_only_an_admin_may(api: Caller) -> None:
    assert put(api, state="open").status_code == 403
    assert shown(api)["breaker"] == "closed"


def test_webhooks_of_whoever_asks_are_told(admin: Caller, api: Caller, engine: Engine) -> None:
    hook = api.post(
        "/v1/webhooks",
        {
            "url": "https://example.com/breakers",
            "events": ["operation.breaker_opened", "operation.breaker_closed"],
        },
    ).json["id"]
    put(admin, state="open")
    put(admin, state="closed")
    told = api.get(f"/v1/webhooks/{hook}/deliveries").json["data"]
    assert [(one["event"], one["batchId"]) for one in told] == [
        ("operation.breaker_closed", None),
        ("operation.breaker_opened", None),
    ]
    with engine.connect() as connection:
        query = "SELECT body::text FROM webhook_deliveries WHERE webhook_id = :id"
        bodies = list(connection.execute(text(query), {"id": hook}).scalars())
    assert all(
        f'"operation": "{NAME}"' in body or f'"operation":"{NAME}"' in body for body in bodies
    )
    assert api.send("DELETE", f"/v1/webhooks/{hook}").status_code == 204


def test_the_metric_has_it(admin: Caller, engine: Engine) -> None:
    def value() -> float:
        [family] = [
            one
            for one in read_database(engine, own=[], stale=6, patience=60)
            if one.name == "batchline_breaker_open"
        ]
        labels = {"operation": NAME, "base": ""}
        return next(float(one.value) for one in family.samples if one.labels == labels)

    put(admin, state="open")
    assert value() == 1
    put(admin, state="closed")
    assert value() == 0
