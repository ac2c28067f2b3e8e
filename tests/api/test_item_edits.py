"""PATCH …/items/{index} and …/history: what they take, and what they answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import Engine

from app.core.settings import Settings
from tests.api.conftest import ITEM, Caller
from tests.api.test_failures import gone_wrong

OTHER = {"asin": "B2", "countryCode": "DE", "percACoS": 1.5}


@pytest.fixture
def batch(api: Caller, engine: Engine) -> str:
    """Of five items two went wrong."""
    batch_id = api.opened([ITEM] * 5)
    gone_wrong(engine, batch_id, (1, "FAILED", 404, "gone"), (3, "INVALID", 422, "wrong"))
    return batch_id


def edit(api: Caller, batch_id: str, index: int, body: Any = None, **options: Any) -> Any:
    body = {"input": OTHER} if body is None else body
    return api.send("PATCH", f"/v1/batches/{batch_id}/items/{index}", json=body, **options)


def history(api: Caller, batch_id: str, index: int, query: str = "") -> Any:
    return api.get(f"/v1/batches/{batch_id}/items/{index}/history{query}").json


def test_an_item_is_edited(api: Caller, batch: str) -> None:
    before = api.get(f"/v1/batches/{batch}/items/1").json
    answer = edit(api, batch, 1)
    assert answer.status_code == 200, answer.text
    assert answer.json == {**before, "input": OTHER, "key": "B2:DE"}
    assert (before["status"], before["code"], before["message"]) == ("FAILED", 404, "gone")
    assert api.get(f"/v1/batches/{batch}/items/1").json == answer.json
    assert api.get(f"/v1/batches/{batch}").json["status"] == "PARTIAL"
    row = api.get(f"/v1/audit?batch={batch}").json["data"][0]
    assert (row["action"], row["detail"]) == ("item.edit", {"index": 1})


def test_its_history_keeps_what_it_was(api: Caller, batch: str) -> None:
    [only] = history(api, batch, 1)["data"]
    item = api.get(f"/v1/batches/{batch}/items/1").json
    assert only == {
        "attempt": 1,
        "at": item["finishedAt"],
        "status": "FAILED",
        "code": 404,
        "message": "gone",
        "input": ITEM,
    }
    edit(api, batch, 1)
    assert history(api, batch, 1) == {"data": [only], "next": None}
    api.post(f"/v1/batches/{batch}/items/retry", {"indexes": [1]})
    assert history(api, batch, 1) == {"data": [only], "next": None}


def test_an_item_of_an_open_batch(api: Caller) -> None:
    batch = api.opened([ITEM] * 2)
    assert history(api, batch, 0) == {"data": [], "next": None}
    answer = edit(api, batch, 1)
    assert (answer.status_code, answer.json["status"]) == (200, "PENDING")
    assert history(api, batch, 1) == {"data": [], "next": None}
    assert api.post(f"/v1/batches/{batch}/items/cancel", {"indexes": [0]}).status_code == 202
    assert edit(api, batch, 0).json["status"] == "CANCELED"


def test_the_text_stays_to_the_letter(api: Caller, batch: str) -> None:
    sent = '{"asin":"B2", "countryCode": "DE","percACoS": 1.50}'
    answer = api.send(
        "PATCH",
        f"/v1/batches/{batch}/items/1",
        data=f' {{"input" : {sent} }}',
        headers={"Content-Type": "application/json"},
    )
    assert sent in answer.text


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/input"),
        ({"input": None}, "/input"),
        ({"input": [ITEM]}, "/input"),
        ({"input": "text"}, "/input"),
        ({"input": OTHER, "status": "PENDING"}, "/status"),
        ({"input": {"deep": json.loads("[" * 70 + "]" * 70)}}, "/input"),
    ],
    ids=["nothing", "null", "an array", "text", "another field", "too deep"],
)
def test_a_body_that_is_none(api: Caller, batch: str, body: Any, pointer: str) -> None:
    answer = edit(api, batch, 1, body)
    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]
    assert api.get(f"/v1/batches/{batch}/items/1").json["input"] == ITEM


def test_other_bodies(api: Caller, batch: str) -> None:
    path = f"/v1/batches/{batch}/items/1"
    answer = api.send("PATCH", path, data="{", headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert api.send("PATCH", path).status_code == 422
    answer = api.send("PATCH", path, data="{}", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415
    assert api.send("PATCH", f"{path}?dryRun=1", json={"input": OTHER}).status_code == 422


def test_what_its_operation_does_not_ask_for_is_taken(api: Caller, batch: str) -> None:
    """Only its size and form are looked at; the rest is seen when it runs."""
    answer = edit(api, batch, 3, {"input": {"color": "red"}})
    assert (answer.status_code, answer.json["key"]) == (200, None)


def test_one_that_is_too_large(api: Caller, batch: str, settings: Settings) -> None:
    most = settings.max_item_bytes
    for size, status in ((most, 200), (most + 1, 413), (4 * most + 2**20, 413)):
        sent = {"input": {"pad": "x" * (size - len('{"pad": ""}'))}}
        assert edit(api, batch, 1, sent).status_code == status


def test_where_it_is_not_allowed(api: Caller, batch: str) -> None:
    answer = edit(api, batch, 0)
    assert (answer.status_code, answer.json["type"]) == (409, "urn:batchline:problem:wrong-state")
    assert "SUCCESS" in answer.json["detail"]
    assert edit(api, batch, 5).status_code == 404
    assert api.get(f"/v1/batches/{batch}/items/5/history").status_code == 404
    pending = api.submit({"operation": "catalog.masterlist", "items": [ITEM]}).json["id"]
    answer = edit(api, pending, 0)
    assert answer.status_code == 409
    assert "OPEN" in answer.json["detail"]
    assert [row["action"] for row in api.get(f"/v1/audit?batch={batch}").json["data"]] == [
        "batch.submit"
    ]


def test_headers_that_it_depends_on(api: Caller, batch: str) -> None:
    """An item has no ETag, and an answer is not kept: neither is passed over."""
    assert edit(api, batch, 1, headers={"If-Match": '"7"'}).status_code == 412
    assert edit(api, batch, 1, headers={"Idempotency-Key": "k"}).status_code == 400
    assert api.get(f"/v1/batches/{batch}/items/1").json["input"] == ITEM
    assert edit(api, batch, 1, headers={"If-Match": "*"}).status_code == 200
