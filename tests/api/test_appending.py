"""POST /v1/batches/{id}/items."""

from __future__ import annotations

import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret
from tests.api.conftest import ITEM, Caller


def flags(engine: Engine, batch_id: str) -> tuple[bool, bool]:
    """mixed and may_repeat."""
    with engine.connect() as connection:
        row = connection.execute(
            text("SELECT mixed, may_repeat FROM batches WHERE id = :id"), {"id": batch_id}
        ).one()
    return bool(row.mixed), bool(row.may_repeat)


def item(number: int) -> dict[str, Any]:
    return {**ITEM, "asin": f"A{number}"}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (json.dumps([item(1), item(2)]), "application/json"),
        (json.dumps({"items": [item(1), item(2)]}), "application/json"),
        (f"{json.dumps(item(1))}\n{json.dumps(item(2))}", "application/x-ndjson"),
        ("asin,countryCode,percACoS\nA1,US,2.7\nA2,US,2.7\n", "text/csv"),
    ],
)
def test_items_follow_those_that_are_there(api: Caller, body: str, kind: str) -> None:
    batch_id = api.opened([item(0)])
    for headers, sent in (
        ({}, body.encode()),
        ({"Content-Encoding": "gzip"}, gzip.compress(body.encode())),
    ):
        answer = api.post(f"/v1/batches/{batch_id}/items", sent, content_type=kind, headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.json["id"] == batch_id
    assert answer.json["summary"]["total"] == 5
    data = api.get(f"/v1/batches/{batch_id}/items").json["data"]
    assert [each["index"] for each in data] == [0, 1, 2, 3, 4]
    assert [each["key"] for each in data] == ["A0:US", "A1:US", "A2:US", "A1:US", "A2:US"]


def test_appending_nothing_changes_nothing(api: Caller) -> None:
    batch_id = api.opened([ITEM])
    etag = api.get(f"/v1/batches/{batch_id}").headers["ETag"]
    answer = api.post(f"/v1/batches/{batch_id}/items", [])
    assert (answer.status_code, answer.headers["ETag"]) == (200, etag)


def test_many_calls_at_once_number_without_a_gap(app: Flask, client: ClientSecret) -> None:
    batch_id = Caller(app, client).opened()

    def append(call: int) -> int:
        items = [item(call * 1000 + number) for number in range(37)]
        caller = Caller(app, client)
        return caller.post(f"/v1/batches/{batch_id}/items", items).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(append, range(24))) == {200}
    caller = Caller(app, client)
    data = caller.get(f"/v1/batches/{batch_id}/items?limit=1000").json["data"]
    assert [each["index"] for each in data] == list(range(24 * 37))
    # The items of one call stay together, in their order.
    calls = [int(each["input"]["asin"][1:]) for each in data]
    for start in range(0, len(calls), 37):
        assert calls[start : start + 37] == list(range(calls[start], calls[start] + 37))
    assert caller.get(f"/v1/batches/{batch_id}").json["summary"]["total"] == 24 * 37


@pytest.mark.parametrize(
    ("first", "then", "expected"),
    [
        ([], [item(1), item(2)], (False, False)),
        ([], [item(1), item(1)], (False, True)),
        ([item(1)], [item(2)], (False, True)),
        ([item(1)], [{"asin": None}], (False, False)),
        ([item(1)], [{"operation": "demo.sleep", "data": {}}], (True, False)),
        ([{"operation": "demo.sleep", "data": {}}], [item(1)], (True, True)),
    ],
)
def test_what_the_engine_must_know(
    api: Caller, engine: Engine, first: list[Any], then: list[Any], expected: tuple[bool, bool]
) -> None:
    batch_id = api.opened(first)
    assert api.post(f"/v1/batches/{batch_id}/items", then).status_code == 200
    assert flags(engine, batch_id) == expected


def test_only_while_it_is_open(api: Caller) -> None:
    answer = api.submit(
        {
            "operation": "catalog.masterlist",
            "items": [ITEM],
            "scheduledAt": "2099-01-01T00:00:00Z",
        }
    )
    refused = api.post(f"/v1/batches/{answer.json['id']}/items", [ITEM])
    assert refused.status_code == 409
    assert "SCHEDULED" in refused.json["detail"]


def test_limits_hold_in_total(small: Caller, rows: Any) -> None:
    batch_id = small.opened([item(number) for number in range(5)])
    path = f"/v1/batches/{batch_id}/items"
    over = small.post(path, [item(number) for number in range(4)])
    assert (over.status_code, over.json["errors"][0]["pointer"]) == (413, "/items/3")
    assert rows() == (1, 5)
    assert small.post(path, [item(number) for number in range(3)]).status_code == 200
    assert small.post(path, "{}\n", content_type="application/x-ndjson").status_code == 413
    alone = small.post(path, [ITEM] * 6)
    assert (alone.status_code, alone.json["errors"][0]["pointer"]) == (413, "/items/5")
    assert rows() == (1, 8)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ("[1,", "application/json", 400),
        ("7", "application/json", 422),
        ('{"items": 7}', "application/json", 422),
        ('{"items": [], "name": "x"}', "application/json", 422),
        ("{}\n{", "application/x-ndjson", 400),
        ("a;b\n1;2", "text/csv", 400),
        ("<items/>", "application/xml", 415),
    ],
)
def test_a_refused_call_leaves_nothing(
    api: Caller, rows: Any, body: str, kind: str, status: int
) -> None:
    batch_id = api.opened([ITEM])
    etag = api.get(f"/v1/batches/{batch_id}").headers["ETag"]
    path = f"/v1/batches/{batch_id}/items"
    assert api.post(path, body, content_type=kind).status_code == status
    assert api.post(f"{path}?operation=x", [ITEM]).status_code == 422
    assert rows() == (1, 1)
    assert api.get(f"/v1/batches/{batch_id}").headers["ETag"] == etag


def test_an_item_without_an_operation_is_named(api: Caller, rows: Any) -> None:
    batch_id = api.submit({"start": "manual", "items": []}).json["id"]
    named = {"operation": "catalog.masterlist", "data": ITEM}
    answer = api.post(f"/v1/batches/{batch_id}/items", [named, ITEM])
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/items/1")
    assert rows() == (1, 0)
