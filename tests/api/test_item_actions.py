"""POST …/items/retry and …/items/cancel: what they take, and what they answer."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from tests.api.conftest import ITEM, Caller
from tests.api.test_failures import gone_wrong


@pytest.fixture
def batch(api: Caller, engine: Engine) -> str:
    """Of five items two went wrong."""
    batch_id = api.opened([ITEM] * 5)
    gone_wrong(engine, batch_id, (1, "FAILED", 404, "gone"), (3, "INVALID", 422, "wrong"))
    return batch_id


def test_items_are_retried(api: Caller, batch: str) -> None:
    answer = api.post(f"/v1/batches/{batch}/items/retry", {"indexes": [0, 1, 1, 3, 77]})
    assert answer.status_code == 202
    assert answer.json["selected"] == 2
    assert answer.json["batch"]["id"] == batch
    assert answer.json["batch"]["status"] == "PENDING"
    assert answer.json["batch"]["summary"]["pending"] == 2


def test_by_what_is_so_with_them(api: Caller, batch: str) -> None:
    [first, _] = api.get(f"/v1/batches/{batch}/failures").json["data"]
    where = {"status": ["INVALID", "FAILED"], "failure": first["failure"], "code": first["code"]}
    answer = api.post(f"/v1/batches/{batch}/items/retry", {"where": where})
    assert answer.json["selected"] == 1
    assert len(api.get(f"/v1/batches/{batch}/failures").json["data"]) == 1


def test_items_are_canceled(api: Caller) -> None:
    batch_id = api.opened([ITEM, {**ITEM, "asin": "B2"}, ITEM])
    path = f"/v1/batches/{batch_id}/items/cancel"
    answer = api.post(path, {"where": {"key": "B2:US"}})
    assert (answer.status_code, answer.json["selected"]) == (202, 1)
    assert answer.json["batch"]["status"] == "OPEN"
    assert answer.json["batch"]["summary"]["canceled"] == 1
    again = api.post(path, {"where": {"key": "B2:US"}})
    assert again.status_code == 409
    assert "OPEN" in again.json["detail"]
    assert api.post(path, {"indexes": list(range(9_999))}).json["selected"] == 2
    assert [row["action"] for row in api.get(f"/v1/audit?batch={batch_id}").json["data"]] == [
        "items.cancel",
        "items.cancel",
        "batch.submit",
    ]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (None, ""),
        ({}, ""),
        ({"indexes": [1], "where": {"code": 1}}, ""),
        ({"indexes": []}, "/indexes"),
        ({"indexes": ["1"]}, "/indexes/0"),
        ({"indexes": [-1]}, "/indexes/0"),
        ({"indexes": [0] * 10_001}, "/indexes"),
        ({"where": {}}, "/where"),
        ({"where": {"status": []}}, "/where/status"),
        ({"where": {"status": ["SUCCESS"]}}, "/where/status/0"),
        ({"where": {"code": "x"}}, "/where/code"),
        ({"where": {"color": 1}}, "/where/color"),
        ({"all": True}, "/all"),
    ],
)
@pytest.mark.parametrize("action", ["retry", "cancel"])
def test_a_choice_that_is_none(
    api: Caller, batch: str, action: str, body: Any, pointer: str
) -> None:
    answer = api.post(f"/v1/batches/{batch}/items/{action}", body)
    assert answer.status_code == 422, answer.text
    assert pointer in [error["pointer"] for error in answer.json.get("errors", [])] or not pointer


def test_only_what_is_pending_can_be_canceled(api: Caller) -> None:
    path = f"/v1/batches/{api.opened([ITEM])}/items/cancel"
    for status in ("RUNNING", "FAILED", "CANCELED"):
        assert api.post(path, {"where": {"status": [status]}}).status_code == 422
    assert api.post(path, {"where": {"status": ["PENDING"]}}).json["selected"] == 1


def test_the_largest_choice_is_taken(api: Caller, batch: str) -> None:
    indexes = [1, *range(4_990_000, 4_999_999)]
    answer = api.post(f"/v1/batches/{batch}/items/retry", {"indexes": indexes})
    assert answer.json["selected"] == 1
