"""A key that is narrowed to some operations submits and appends no other."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret
from app.clients.keys import create_key
from tests.api.conftest import ITEM, Answer, Caller

ROOT = Path(__file__).parents[2]
SLEEP = {"seconds": 0}
OWN = {"operation": "demo.sleep", "data": SLEEP}
ALLOWED = {"operation": "catalog.masterlist", "data": ITEM}


@pytest.fixture
def narrow(app: Flask, engine: Engine, client: ClientSecret) -> Caller:
    """The client, by a key that may submit the catalog's operations only."""
    return Caller(app, create_key(engine, client.client_id, operations=["catalog.*"]))


def _ndjson(*items: Any) -> str:
    return "".join(json.dumps(item) + "\n" for item in items)


SUBMISSIONS: dict[str, Callable[[Caller], Answer]] = {
    "the batch's": lambda api: api.submit({"operation": "demo.sleep", "items": [SLEEP]}),
    "an item's, the last": lambda api: api.submit({"items": [ALLOWED] * 400 + [OWN]}),
    "an item's beside the batch's": lambda api: api.submit(
        {"operation": "catalog.masterlist", "items": [ITEM, OWN]}
    ),
    "the batch's beside its items'": lambda api: api.submit(
        {"operation": "demo.sleep", "items": [ALLOWED]}
    ),
    "of an empty batch": lambda api: api.submit({"operation": "demo.sleep", "start": "manual"}),
    "spelled with escapes": lambda api: api.submit(
        b'{"items": [{"operation": "demo\\u002esleep", "data": {"seconds": 0}}]}'
    ),
    "in the query": lambda api: api.submit(
        _ndjson(SLEEP), query="operation=demo.sleep", content_type="application/x-ndjson"
    ),
    "in a stream": lambda api: api.submit(
        _ndjson(*[ALLOWED] * 400, OWN), content_type="application/x-ndjson"
    ),
    "in CSV": lambda api: api.submit(
        "seconds\n0\n", query="operation=demo.sleep", content_type="text/csv"
    ),
    "that nobody has": lambda api: api.submit({"operation": "no.such", "items": [{}]}),
    "that is no name": lambda api: api.submit({"operation": "x" * 5000, "items": [{}]}),
}


@pytest.mark.parametrize("how", SUBMISSIONS)
def test_another_operation_is_refused_and_nothing_kept(narrow: Caller, rows: Any, how: str) -> None:
    answer = SUBMISSIONS[how](narrow)
    assert answer.status_code == 403, answer.text
    assert answer.json["type"] == "urn:batchline:problem:forbidden"
    assert len(answer.text) < 1000
    assert rows() == (0, 0)


def test_its_own_are_taken(narrow: Caller, rows: Any) -> None:
    for body in ({"operation": "catalog.masterlist", "items": [ITEM]}, {"items": [ALLOWED]}):
        assert narrow.submit({**body, "start": "manual"}).status_code == 202
    assert rows() == (2, 2)


@pytest.mark.parametrize("operation", ["catalog.masterlist", None])
@pytest.mark.parametrize("items", [[OWN], [ALLOWED, OWN]])
def test_nor_is_another_appended(
    narrow: Caller, rows: Any, operation: str | None, items: list[Any]
) -> None:
    batch_id = narrow.opened(operation=operation)
    path = f"/v1/batches/{batch_id}/items"
    assert narrow.post(path, items).status_code == 403
    stream = narrow.post(path, _ndjson(*items), content_type="application/x-ndjson")
    assert stream.status_code == 403
    assert rows() == (1, 0)
    assert narrow.post(path, [ALLOWED]).status_code == 200


def test_nor_by_a_batch_that_another_key_opened(api: Caller, narrow: Caller, rows: Any) -> None:
    batch_id = api.opened(operation="demo.sleep")
    assert narrow.post(f"/v1/batches/{batch_id}/items", [SLEEP]).status_code == 403
    assert rows() == (1, 0)
    assert narrow.post(f"/v1/batches/{batch_id}/items", [ALLOWED]).status_code == 200


def test_nor_is_it_told_that_another_key_submitted_that(
    api: Caller, narrow: Caller, rows: Any
) -> None:
    """Keys of one client share their Idempotency-Keys."""
    bodies: list[dict[str, Any]] = [
        {"operation": "demo.sleep", "items": [SLEEP], "start": "manual"},
        {"items": [ALLOWED], "start": "manual"},
    ]
    for number, body in enumerate(bodies):
        once = {"Idempotency-Key": f"once {number}"}
        assert api.submit(body, headers=once).status_code == 202
        refused = narrow.submit(body, headers=once)
        assert refused.status_code == 422
        assert "used for another request" in refused.json["detail"]
    assert rows() == (2, 2)


def test_a_narrowed_key_is_answered_again(narrow: Caller, rows: Any) -> None:
    once = {"Idempotency-Key": "once"}
    first, again = (
        narrow.submit({"items": [ALLOWED], "start": "manual"}, headers=once) for _ in range(2)
    )
    assert (first.status_code, again.json) == (202, first.json)
    assert rows() == (1, 1)


def test_every_api_makes_its_submissions_by_its_caller() -> None:
    """One that makes them otherwise would forget what the key may."""
    made = [
        path.relative_to(ROOT).as_posix()
        for folder in ("app/api", "app/dialects", "app/console", "app/web")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Submission"
    ]
    assert made == ["app/web/submissions.py"]


def test_nor_is_an_item_of_another_edited(api: Caller, narrow: Caller) -> None:
    batch_id = api.submit({"operation": "demo.sleep", "items": [SLEEP, ALLOWED], "start": "manual"})
    path = f"/v1/batches/{batch_id.json['id']}/items"
    assert narrow.send("PATCH", f"{path}/0", json={"input": {}}).status_code == 403
    assert api.get(f"{path}/0").json["input"] == SLEEP
    assert narrow.send("PATCH", f"{path}/1", json={"input": ITEM}).status_code == 200
