"""Nilo's document: its example, field by field, and what it says of states and pages."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from tests.dialects.conftest import Finish, Hold
from tests.dialects.facts.nilo import PRICE, PRODUCT, PROMOTION
from tests.dialects.speaking import Speaker

BATCH_ITEM = '{"product": "22222.1", "store": 2134, "available": true, "units": 1}'
TO_THE_SECOND = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.fixture
def nilo(speak: Callable[..., Speaker]) -> Speaker:
    """The test's client."""
    return speak("nilo")


def submit(nilo: Speaker, path: str, body: Any) -> str:
    """Submit; the uuid."""
    response = nilo.post(path, body)
    assert response.status_code == 202, response.data
    assert response.json is not None
    assert set(response.json) == {"uuid"}
    return str(response.json["uuid"])


def test_the_documents_example(
    nilo: Speaker, finish: Finish, record: Callable[[str, str], Any]
) -> None:
    uuid = submit(nilo, "/batch/product/availability", f"[{BATCH_ITEM}]")
    assert str(UUID(uuid)) == uuid
    batch = finish("nilo", uuid)

    detail = nilo.get(f"/batch/{uuid}/detail")
    assert detail.status_code == 200
    assert detail.json is not None
    assert set(detail.json) == {"uuid", "detail"}
    assert detail.json["uuid"] == uuid
    (entry,) = detail.json["detail"]
    assert UUID(entry.pop("code"))
    assert TO_THE_SECOND.fullmatch(entry.pop("finishedAt"))
    assert TO_THE_SECOND.fullmatch(entry.pop("createdAt"))
    assert entry == {
        "endpoint": "batch/product/22222.1",
        "action": "availability",
        "batchItem": BATCH_ITEM,
        "status": "completed",
        "message": "Product processed successfully",
    }
    assert "Link" not in detail.headers

    status = nilo.get(f"/batch/{uuid}/status").json
    assert status is not None
    assert TO_THE_SECOND.fullmatch(status.pop("finishedAt"))
    assert TO_THE_SECOND.fullmatch(status.pop("createdAt"))
    assert status == {
        "uuid": uuid,
        "status": "completed",
        "summary": {"total": 1, "processed": 1, "failed": 0, "completed": 1},
    }

    assert (batch["dialect"], batch["reference"]) == ("nilo", uuid)
    assert batch["operation"] == "catalog.availability"
    stored = record("availability", "22222.1:2134")
    assert stored == {"product": "22222.1", "store": 2134, "available": True, "units": 1}


@pytest.mark.parametrize(
    ("path", "item", "collection", "key", "endpoint", "action", "message"),
    [
        (
            "/batch/price/update",
            PRICE,
            "price",
            "22222.1:2134",
            "batch/price/22222.1",
            "update",
            "Price processed successfully",
        ),
        (
            "/batch/promotion/update",
            PROMOTION,
            "promotion",
            "spring",
            "batch/promotion/spring",
            "update",
            "Promotion processed successfully",
        ),
    ],
)
def test_prices_and_promotions(
    nilo: Speaker,
    finish: Finish,
    record: Callable[[str, str], Any],
    path: str,
    item: dict[str, Any],
    collection: str,
    key: str,
    endpoint: str,
    action: str,
    message: str,
) -> None:
    uuid = submit(nilo, path, [item])
    finish("nilo", uuid)
    detail = nilo.get(f"/batch/{uuid}/detail").json
    assert detail is not None
    (entry,) = detail["detail"]
    assert (entry["endpoint"], entry["action"]) == (endpoint, action)
    assert (entry["status"], entry["message"]) == ("completed", message)
    assert json.loads(entry["batchItem"]) == item
    assert record(collection, key) is not None


def test_failed_operations_are_tracked_individually(nilo: Speaker, finish: Finish) -> None:
    items = [PRODUCT, {**PRODUCT, "units": "many"}, {"store": 1}, {**PRODUCT, "store": 7}]
    uuid = submit(nilo, "/batch/product/availability", items)
    finish("nilo", uuid)
    detail = nilo.get(f"/batch/{uuid}/detail").json
    assert detail is not None
    entries = detail["detail"]
    assert [entry["status"] for entry in entries] == ["completed", "failed", "failed", "completed"]
    assert entries[1]["message"] == "units: Must be a whole number."
    assert [entry["endpoint"] for entry in entries] == [
        "batch/product/22222.1",
        "batch/product/22222.1",
        "batch/product",
        "batch/product/22222.1",
    ]
    assert len({entry["code"] for entry in entries}) == 4
    again = nilo.get(f"/batch/{uuid}/detail").json
    assert again == detail
    status = nilo.get(f"/batch/{uuid}/status").json
    assert status is not None
    assert status["status"] == "partial"
    assert status["summary"] == {"total": 4, "processed": 4, "failed": 2, "completed": 2}


def test_a_batch_of_which_nothing_succeeds(nilo: Speaker, finish: Finish) -> None:
    uuid = submit(nilo, "/batch/price/update", [{"no": "price"}])
    finish("nilo", uuid)
    status = nilo.get(f"/batch/{uuid}/status").json
    assert status is not None
    assert (status["status"], status["summary"]["failed"]) == ("failed", 1)


def test_an_item_names_no_operation_of_its_own(nilo: Speaker, finish: Finish) -> None:
    """What the native API takes for an operation and its data is just an invalid item here."""
    uuid = submit(
        nilo,
        "/batch/product/availability",
        [{"operation": "catalog.price", "data": PRICE}],
    )
    assert finish("nilo", uuid)["summary"]["invalid"] == 1


@pytest.mark.parametrize("status", ["OPEN", "SCHEDULED", "PAUSED"])
def test_while_it_is_processing(nilo: Speaker, hold: Hold, status: str) -> None:
    uuid = hold("nilo", "catalog.availability", [BATCH_ITEM], status)
    shown = nilo.get(f"/batch/{uuid}/status").json
    assert shown is not None
    assert (shown["status"], shown["finishedAt"]) == ("processing", None)
    assert shown["summary"] == {"total": 1, "processed": 0, "failed": 0, "completed": 0}
    detail = nilo.get(f"/batch/{uuid}/detail").json
    assert detail is not None
    (entry,) = detail["detail"]
    assert (entry["status"], entry["finishedAt"]) == ("processing", None)
    assert entry["message"] == "Product is waiting to be processed"


def test_canceled_operations_count_as_failed(
    nilo: Speaker, hold: Hold, speak: Callable[..., Speaker]
) -> None:
    uuid = hold("nilo", "catalog.availability", [BATCH_ITEM] * 2)
    fluent = speak("fluent")  # the same bearer as the native API's
    found = fluent.get(f"/v1/batches?dialect=nilo&reference={uuid}").json
    assert found is not None
    fluent.post(f"/v1/batches/{found['data'][0]['id']}/cancel", None)
    status = nilo.get(f"/batch/{uuid}/status").json
    assert status is not None
    assert status["status"] == "failed"
    assert status["finishedAt"] is not None
    assert status["summary"] == {"total": 2, "processed": 2, "failed": 2, "completed": 0}
    detail = nilo.get(f"/batch/{uuid}/detail").json
    assert detail is not None
    assert {entry["message"] for entry in detail["detail"]} == {"Canceled before it was processed"}


def test_pages_of_the_detail(nilo: Speaker, hold: Hold) -> None:
    items = [f'{{"product":"{number}"}}' for number in range(5)]
    uuid = hold("nilo", "catalog.availability", items)
    path = f"/batch/{uuid}/detail"
    seen: list[str] = []
    pages = 0
    url: str | None = f"{path}?limit=2"
    while url:
        response = nilo.get(url)
        assert response.json is not None
        assert set(response.json) == {"uuid", "detail"}
        seen += [entry["batchItem"] for entry in response.json["detail"]]
        pages += 1
        links = {
            name: link
            for link, name in re.findall(r'<([^>]+)>; rel="(\w+)"', response.headers["Link"])
        }
        assert links["first"].endswith(f"{path}?page=1&limit=2")
        assert links["last"].endswith(f"{path}?page=3&limit=2")
        assert ("prev" in links) == (pages > 1)
        url = links.get("next")
    assert (seen, pages) == (items, 3)
    beyond = nilo.get(f"{path}?limit=2&page=4")
    assert beyond.json == {"uuid": uuid, "detail": []}


def test_a_sensible_size_comes_whole(nilo: Speaker, hold: Hold) -> None:
    uuid = hold("nilo", "catalog.availability", ["{}"] * 10_001)
    response = nilo.get(f"/batch/{uuid}/detail")
    assert response.json is not None
    assert len(response.json["detail"]) == 10_000
    assert 'page=2&limit=10000>; rel="next"' in response.headers["Link"]
    rest = nilo.get(f"/batch/{uuid}/detail?page=2")
    assert rest.json is not None
    assert len(rest.json["detail"]) == 1


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=10001",
        "limit=x",
        "limit=",
        "page=0",
        "page=-1",
        "page=1.5",
        f"page={2**70}",
    ],
)
def test_pages_that_cannot_be(nilo: Speaker, hold: Hold, query: str) -> None:
    uuid = hold("nilo", "catalog.availability", ["{}"])
    response = nilo.get(f"/batch/{uuid}/detail?{query}")
    assert response.status_code == 400
    assert response.json is not None
    assert response.json["errors"][0]["pointer"] == f"/{query.partition('=')[0]}"
