"""Clients as users of the other systems write them, with the host changed, on the real stack."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import requests

from app.clients.credentials import ClientSecret
from tests.support.stack import Stack

pytestmark = pytest.mark.stack


def poll(look: Callable[[], Any], *, within: float = 60) -> Any:
    """Ask until there is an answer, ever more seldom: what the documents advise."""
    wait, deadline = 0.05, time.monotonic() + within
    while (answer := look()) is None:
        assert time.monotonic() < deadline, "not ended in time"
        time.sleep(wait)
        wait = min(wait * 1.5, 1)
    return answer


def test_nilo(stack: Stack, client: ClientSecret) -> None:
    headers = {"Authorization": client.secret, "x-api-key": client.api_key}
    products = [
        {"product": f"{number}.1", "store": 2134, "available": number % 2 == 0, "units": number}
        for number in range(250)
    ]
    products[7]["units"] = -1
    submitted = requests.post(
        f"{stack.url}/batch/product/availability", json=products, headers=headers, timeout=30
    )
    assert submitted.status_code == 202
    url = f"{stack.url}/batch/{submitted.json()['uuid']}"

    def status() -> Any:
        body = requests.get(f"{url}/status", headers=headers, timeout=30).json()
        return None if body["status"] == "processing" else body

    ended = poll(status)
    assert ended["status"] == "partial"
    assert ended["summary"] == {"total": 250, "processed": 250, "failed": 1, "completed": 249}

    failed = []
    page: str | None = f"{url}/detail?limit=100"
    while page:
        response = requests.get(page, headers=headers, timeout=30)
        failed += [each for each in response.json()["detail"] if each["status"] == "failed"]
        page = response.links.get("next", {}).get("url")
    assert [each["endpoint"] for each in failed] == ["batch/product/7.1"]


def test_quartile(stack: Stack, client: ClientSecret) -> None:
    session = requests.Session()
    session.headers.update(
        {"Subscription-Key": client.api_key, "Authorization": f"Bearer {client.secret}"}
    )
    items = [
        {"asin": f"A{number}", "countryCode": "US", "percACoS": number / 10}
        for number in range(100)
    ]
    response = session.patch(f"{stack.url}/amazon/v2/process/masterlist", json=items, timeout=30)
    assert response.status_code == 200
    url = f"{stack.url}/amazon/v2/batch/{response.json()['batchId']}"

    def result() -> Any:
        found = session.get(url, timeout=30)
        body = found.json()
        if body["status"] in ("PENDING", "RUNNING"):
            assert found.status_code == 206
            return None
        return found

    ended = poll(result)
    assert ended.status_code == 200
    for sent, got in zip(items, ended.json()["data"], strict=True):
        assert got["status"] == {"success": True, "message": "successfully", "process": "INSERT"}
        assert {name: got[name] for name in sent} == sent


def test_kibo(stack: Stack, client: ClientSecret) -> None:
    code = "nightly"
    with httpx.Client(
        base_url=stack.url, headers={"Authorization": f"Bearer {client.secret}"}, timeout=30
    ) as kibo:
        job = {"code": code, "jobName": "Nightly", "scheduledDate": None, "domain": "Catalog"}
        assert kibo.post("/platform/data/batchJob", json=job).status_code == 201
        by = {"batchJobCode": code}
        for number in range(20):
            product = {"productCode": f"shirt-{number}", "isTaxable": True}
            added = kibo.post("/commerce/catalog/admin/products/", params=by, json=product)
            assert added.status_code == 202
        prices = [
            {
                "priceListCode": "summer",
                "productCode": f"shirt-{number}",
                "currencyCode": "USD",
                "priceEntries": [{"minQty": 1, "listPrice": 9.99}],
            }
            for number in range(20)
        ]
        bulk = "/commerce/catalog/admin/pricelists/bulkaddentries"
        assert kibo.post(bulk, params=by, json=prices).status_code == 202
        missing = kibo.delete("/commerce/catalog/admin/products/hat", params=by)
        assert missing.status_code == 202
        started = kibo.post(f"/platform/data/batchJob/actions/{code}", json={"action": "start"})
        assert started.status_code == 200

        def status() -> Any:
            body = kibo.get(f"/platform/data/batchJob/{code}").json()
            return body if body["status"] in ("Completed", "Canceled") else None

        assert poll(status)["status"] == "Completed"
        found = kibo.get(
            f"/platform/data/batchJob/items/{code}", params={"processingStatus": "Completed"}
        ).json()
        assert found["totalCount"] == 40
        (wrong,) = kibo.get(
            f"/platform/data/batchJob/items/{code}",
            params={"processingStatus": "ValidationFailed", "resourceType": "Products"},
        ).json()["items"]
        assert wrong["data"] == {"productCode": "hat"}


def test_gameball(stack: Stack, client: ClientSecret) -> None:
    headers = {"APIKey": client.api_key, "SecretKey": client.secret}
    url = f"{stack.url}/integrations/batch"

    def run(operation: str, body: list[Any]) -> Any:
        asked = {"method": "POST", "operation": operation, "body": body}
        started = requests.post(url, json=asked, headers=headers, timeout=30)
        assert started.status_code == 200

        def look() -> Any:
            shown = requests.get(
                f"{url}/{started.json()['batchId']}", headers=headers, timeout=30
            ).json()
            return shown if shown["status"] in ("Completed", "Stopped") else None

        return poll(look)

    players = [f"player-{number}" for number in range(50)]
    run(
        "cashback",
        [
            {"playerUniqueId": player, "transactionId": f"in-{player}-{n}", "amount": 2.5}
            for player in players
            for n in range(4)
        ],
    )
    redeemed = run(
        "redeem",
        [
            {"playerUniqueId": player, "transactionId": f"out-{player}-{n}", "amount": "3"}
            for player in players
            for n in range(4)
        ],
    )
    # Each had 10, which is three times 3.
    assert [redeemed["totalCount"], redeemed["errorCount"]] == [200, 50]
    balances = run("balance", [{"playerUniqueId": player} for player in players])
    assert balances["errorCount"] == 0
    assert {entry["result"]["balance"] for entry in balances["response"]["results"]} == {"1.0000"}


def test_fluent(stack: Stack, client: ClientSecret) -> None:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {client.secret}"
    api = f"{stack.url}/api/v4.1"
    job = session.post(f"{api}/job", json={"name": "tree"}, timeout=30).json()["id"]
    entities = [{"categoryRef": "root", "name": "Root"}]
    entities += [
        {
            "categoryRef": f"c{n}",
            "name": "C",
            "parentCategoryRef": f"c{n // 2}" if n > 1 else "root",
        }
        for n in range(1, 300)
    ]
    entities.append({"categoryRef": "orphan", "name": "O", "parentCategoryRef": "nowhere"})
    made = session.post(
        f"{api}/job/{job}/batch",
        json={"action": "UPSERT", "entityType": "CATEGORY", "entities": entities[::-1]},
        timeout=30,
    )
    url = f"{api}/job/{job}/batch/{made.json()['id']}"

    def look() -> Any:
        body = session.get(url, timeout=30).json()
        return body if body["status"] == "COMPLETE" else None

    ended = poll(look)
    results: list[Any] = []
    while len(results) < ended["total"]:
        page = session.get(url, params={"start": len(results) + 1, "count": 77}, timeout=30).json()
        results += page["results"]
    assert len(results) == 301
    assert results[0] == {
        "responseCode": 404,
        "entityRef": "orphan",
        "message": 'Parent category "nowhere" does not exist',
    }
    assert {result["responseCode"] for result in results[1:]} == {200}
    assert len({result["entityId"] for result in results[1:]}) == 300
    refused = session.post(f"{api}/job", json={}, timeout=30)
    assert (refused.status_code, refused.json()["error"][0]["code"]) == (400, "400")
