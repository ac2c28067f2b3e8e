"""ramp: taken in a body and in a query, shown, and told by a running system."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.clients.credentials import ClientSecret
from tests.api.conftest import ITEM, Caller
from tests.support.stack import Stack, wait_for


@pytest.fixture
def http(stack: Stack, client: ClientSecret) -> Iterator[httpx.Client]:
    """The API of the stack, as a client of the test's own."""
    with stack.http(client) as http:
        yield http


SHORT = {"steps": [10]}
WHOLE = {"steps": [10], "hold": "auto", "maxFailurePercent": 0}


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (SHORT, WHOLE),
        ({**SHORT, "hold": "approve", "maxFailurePercent": 2.5}, None),
        ({"steps": [2**31 - 2, 1], "hold": "auto", "maxFailurePercent": 100}, None),
    ],
)
def test_it_is_shown_as_it_was_taken(api: Caller, sent: Any, shown: Any) -> None:
    batch_id = api.opened([ITEM], ramp=sent)
    batch = api.get(f"/v1/batches/{batch_id}").json
    assert batch["ramp"] == (shown or sent)
    assert batch["waitingFor"] is None


def test_none_is_null(api: Caller) -> None:
    for fields in ({}, {"ramp": None}):
        batch_id = api.opened([ITEM], **fields)
        assert api.get(f"/v1/batches/{batch_id}").json["ramp"] is None


def test_in_a_query_it_is_json_text(api: Caller) -> None:
    query = "operation=catalog.masterlist&start=manual&ramp="
    assert api.submit(b"[]", query=query + '{"steps":[10]}').json["ramp"] == WHOLE
    for text, pointer in (("[10]", "/ramp"), ("{", "/ramp"), ('{"steps":[0]}', "/ramp/steps/0")):
        answer = api.submit(b"[]", query=query + text)
        assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, pointer)


@pytest.mark.parametrize("operation", ["test.bulk", "demo.sleep"])
def test_a_running_system_holds_it_exactly(
    stack: Stack, http: httpx.Client, operation: str
) -> None:
    """With several workers, and items of the slow one that take different times."""
    items: list[Any] = [{"do": "succeed"}] * 150
    if operation == "demo.sleep":
        items = [{"seconds": 0.02 * (n % 5)} for n in range(60)]
    ramp = {"steps": [7, 30], "hold": "approve"}
    body = {"operation": operation, "items": items, "ramp": ramp}
    path = f"/v1/batches/{http.post('/v1/batches', json=body).json()['id']}"
    for end in (7, 37):
        batch = wait_for(lambda: _held(http, path), what=stack.tail)
        assert (batch["stopReason"], batch["summary"]["completed"]) == (None, end)
        assert (batch["summary"]["running"], batch["finishedAt"]) == (0, None)
        listed = http.get(f"{path}/items?limit=200").json()["data"]
        assert [item["status"] for item in listed] == ["SUCCESS"] * end + ["PENDING"] * (
            len(items) - end
        )
        assert http.post(f"{path}/resume").json()["waitingFor"] is None
    batch = stack.finished(http, path.rpartition("/")[2])
    assert (batch["status"], batch["summary"]["completed"]) == ("SUCCESS", len(items))


def _held(http: httpx.Client, path: str) -> Any:
    batch = http.get(path).json()
    return batch if batch["waitingFor"] == "ramp" and batch["status"] == "PAUSED" else None
