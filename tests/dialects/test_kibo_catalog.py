"""Kibo's document: items that are added by the catalog's paths, and what becomes of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.core.settings import Settings
from tests.dialects.conftest import Finish
from tests.dialects.facts.kibo import CATALOG, CATALOG_CALLS, ENTRY, JOB, JOBS
from tests.dialects.facts.kinds import Call
from tests.dialects.speaking import Speaker
from tests.support.application import application as running_application
from tests.support.stack import Stack

CODE = JOB["code"]
BY = f"batchJobCode={CODE}"
RESOURCE = {
    "product": "Products",
    "property": "ProductProperty",
    "pricelist_entry": "Pricelistentries",
}


@pytest.fixture
def kibo(speak: Callable[..., Speaker]) -> Speaker:
    """The test's client, with a job."""
    speaker = speak("kibo")
    assert speaker.post(JOBS, JOB).status_code == 201
    return speaker


def add(kibo: Speaker, method: str, path: str, body: Any = None) -> TestResponse:
    """Add to the job."""
    response = kibo(method, f"{CATALOG}/{path}?{BY}", body)
    assert response.status_code == 202, response.data
    return response


def items(kibo: Speaker, query: str = "") -> Any:
    """The job's items."""
    response = kibo.get(f"{JOBS}/items/{CODE}?{query}")
    assert response.status_code == 200, response.data
    return response.json


def run(kibo: Speaker, finish: Finish) -> list[Any]:
    """Start the job; its items once it has ended."""
    assert kibo.post(f"{JOBS}/actions/{CODE}", {"action": "start"}).status_code == 200
    finish("kibo", str(CODE))
    shown: list[Any] = items(kibo)["items"]
    return shown


@pytest.mark.parametrize("call", CATALOG_CALLS, ids=str)
@pytest.mark.parametrize("slash", ["", "/"])
def test_each_path_adds_an_item(
    kibo: Speaker, speak: Callable[..., Speaker], call: Call, slash: str
) -> None:
    response = kibo(call.method, f"{call.path}{slash}?{BY}", call.body)
    assert response.status_code == 202, response.data
    assert response.json == {"batchJobCode": CODE, "added": 1, "totalCount": 1}
    (item,) = items(kibo)["items"]
    assert item["resourceType"] == RESOURCE[call.scope.split(".")[1]]
    codes = {"product": ["productCode"], "property": ["productCode", "attributeFQN"]}.get(
        call.scope.split(".")[1], ["priceListCode", "productCode", "currencyCode"]
    )
    assert set(codes) <= set(item["data"])
    (batch,) = speak("fluent").shown(f"/v1/batches?reference={CODE}")["data"]
    (native,) = speak("fluent").shown(f"/v1/batches/{batch['id']}/items")["data"]
    assert native["operation"] == call.scope  # of these calls: the operation
    assert native["input"] == item["data"]


def test_add_update_and_delete(
    kibo: Speaker, finish: Finish, record: Callable[[str, str], Any]
) -> None:
    """Items of one record run in the order in which they were added."""
    add(kibo, "POST", "products", {"productCode": "P", "price": 1})
    add(kibo, "PUT", "products/P", '{"price": 2.50, "content": {"productName": "Shirt"}}')
    add(kibo, "POST", "products/P/Properties", {"attributeFQN": "tenant~color", "values": []})
    add(kibo, "PUT", "products/P/Properties/tenant~color", {"values": [{"value": "red"}]})
    add(kibo, "POST", "pricelists/L/entries", {"productCode": "P", "currencyCode": "EUR"})
    add(kibo, "DELETE", "pricelists/L/entries/P/EUR")
    done = run(kibo, finish)
    assert [item["processingStatus"] for item in done] == ["Completed"] * 6
    product = record("product", "P")
    assert product == {
        "productCode": "P",
        "price": 2.50,
        "content": {"productName": "Shirt"},
    }
    assert record("property", "P:tenant~color")["values"] == [{"value": "red"}]
    assert record("pricelist_entry", "L:P:EUR") is None


def test_targets_that_do_not_exist_and_that_do(kibo: Speaker, finish: Finish) -> None:
    add(kibo, "POST", "products", {"productCode": "P"})
    add(kibo, "POST", "products", {"productCode": "P"})
    add(kibo, "PUT", "products/missing", {"a": 1})
    add(kibo, "DELETE", "products/missing")
    add(kibo, "DELETE", "products/P/Properties/none")
    add(kibo, "PUT", "pricelists/L/entries/P/EUR", {"a": 1})
    add(kibo, "POST", "products", {"productCode": ""})
    add(kibo, "POST", "pricelists/bulkaddentries", [ENTRY, {"price": 1}])
    done = run(kibo, finish)
    assert [item["processingStatus"] for item in done] == [
        "Completed",
        "Failed",
        "ValidationFailed",
        "ValidationFailed",
        "ValidationFailed",
        "ValidationFailed",
        "ValidationFailed",
        "Completed",
        "ValidationFailed",
    ]
    assert done[0]["message"] is None
    assert done[1]["message"] == 'Product "P" already exists'
    assert done[2]["message"] == 'Product "missing" does not exist'
    assert "productCode" in done[6]["message"]


def test_bulk_entries_are_an_item_each(
    kibo: Speaker, finish: Finish, record: Callable[[str, str], Any]
) -> None:
    entries = [{**ENTRY, "productCode": f"P{number}"} for number in range(30)]
    response = add(kibo, "POST", "pricelists/bulkaddentries", entries)
    assert response.json == {"batchJobCode": CODE, "added": 30, "totalCount": 30}
    changed = [{**entry, "price": 2} for entry in entries[:2]]
    add(kibo, "POST", "pricelists/bulkupdateentries", changed)
    gone = [{name: ENTRY[name] for name in ("priceListCode", "currencyCode")}]
    add(kibo, "POST", "pricelists/bulkdeleteentries", [{**gone[0], "productCode": "P29"}])
    done = run(kibo, finish)
    assert {item["processingStatus"] for item in done} == {"Completed"}
    assert len(done) == 33
    assert record("pricelist_entry", "L:P0:EUR")["price"] == 2
    assert record("pricelist_entry", "L:P2:EUR")["price"] == 1
    assert record("pricelist_entry", "L:P29:EUR") is None


def test_filters_and_pages_of_items(kibo: Speaker, finish: Finish) -> None:
    for number in range(6):
        add(kibo, "POST", "products", {"productCode": f"P{number}"})
        add(kibo, "DELETE", f"products/P{number}/Properties/none")
    add(kibo, "POST", "products", {"productCode": "P0"})
    waiting = items(kibo, "processingStatus=Waiting&resourceType=Products")
    assert waiting["totalCount"] == 7
    assert items(kibo, "processingStatus=Running")["items"] == []
    everything = run(kibo, finish)

    page = items(kibo, "startIndex=3&pageSize=4")
    assert page["items"] == everything[3:7]
    assert (page["startIndex"], page["pageSize"], page["totalCount"]) == (3, 4, 13)
    assert items(kibo, "startIndex=13")["items"] == []

    def like(**fields: str) -> list[Any]:
        return [item for item in everything if fields.items() <= item.items()]

    for fields in (
        {"processingStatus": "Completed"},
        {"processingStatus": "ValidationFailed"},
        {"processingStatus": "Failed"},
        {"processingStatus": "Canceled"},
        {"resourceType": "ProductProperty"},
        {"resourceType": "Pricelistentries"},
        {"processingStatus": "Completed", "resourceType": "Products"},
        {"processingStatus": "Failed", "resourceType": "ProductProperty"},
    ):
        query = "&".join(f"{name}={value}" for name, value in fields.items())
        found = items(kibo, query)
        assert found["items"] == like(**fields)
        assert found["totalCount"] == len(like(**fields))
    part = items(kibo, "resourceType=Products&startIndex=5&pageSize=1")
    assert part["items"] == like(resourceType="Products")[5:6]
    assert (part["startIndex"], part["pageSize"], part["totalCount"]) == (5, 1, 7)
    assert len({item["id"] for item in everything}) == 13


@pytest.mark.parametrize(
    "query",
    [
        "processingStatus=Done",
        "processingStatus=completed",
        "resourceType=Product",
        "startIndex=-1",
        "pageSize=0",
        "pageSize=1001",
        f"startIndex={2**70}",
    ],
)
def test_filters_that_cannot_be(kibo: Speaker, query: str) -> None:
    response = kibo.get(f"{JOBS}/items/{CODE}?{query}")
    assert response.status_code == 400
    assert response.json is not None
    assert response.json["errors"][0]["pointer"] == f"/{query.partition('=')[0]}"


def test_other_parameters_are_not_looked_at(kibo: Speaker) -> None:
    """Kibo's own clients send more of them, such as `responseFields`."""
    path = f"{CATALOG}/products?{BY}&responseFields=productCode"
    assert kibo.post(path, {"productCode": "P"}).status_code == 202
    assert items(kibo, "responseFields=items")["totalCount"] == 1


def test_items_are_kept_as_they_were_sent(kibo: Speaker) -> None:
    text = '{ "productCode":"P",  "price": 2.50, "n": 1E2 }'
    add(kibo, "POST", "products", text)
    add(kibo, "PUT", "products/%C3%BC%22", '{"price": 2.50}')
    add(kibo, "PUT", "products/Q", "{ }")
    answered = kibo.get(f"{JOBS}/items/{CODE}").get_data(as_text=True)
    assert f'"data":{text}' in answered
    assert '"data":{"productCode":"ü\\"","price": 2.50}' in answered
    assert '"data":{"productCode":"Q"}' in answered


def test_many_senders_at_once(kibo: Speaker, stack: Stack, finish: Finish) -> None:
    """Items of concurrent calls are numbered without a gap, and none is lost."""
    count, senders = 200, 8
    with stack.http(kibo.client) as http, ThreadPoolExecutor(senders) as pool:

        def send(number: int) -> int:
            body = {"productCode": f"P{number}"}
            response = http.post(f"{CATALOG}/products/?{BY}", json=body)
            return response.raise_for_status().status_code

        assert set(pool.map(send, range(count))) == {202}
    run(kibo, finish)
    done = items(kibo, f"pageSize={count}&processingStatus=Completed")
    assert done["totalCount"] == count
    sent = {json.dumps({"productCode": f"P{number}"}) for number in range(count)}
    assert {json.dumps(item["data"]) for item in done["items"]} == sent


@pytest.fixture
def few(settings: Settings) -> Iterator[Flask]:
    """An application whose jobs hold three items."""
    with running_application(replace(settings, max_items_stream=3)) as made:
        yield made


def test_the_limit_of_a_job(few: Flask, speak: Callable[..., Speaker]) -> None:
    speaker = speak("kibo", app=few)
    assert speaker.post(JOBS, JOB).status_code == 201
    add(speaker, "POST", "products", {"productCode": "P0"})
    add(speaker, "POST", "pricelists/bulkaddentries", [ENTRY, ENTRY])
    refused = speaker.post(f"{CATALOG}/products?{BY}", {"productCode": "P"})
    assert refused.status_code == 400
    assert items(speaker)["totalCount"] == 3
