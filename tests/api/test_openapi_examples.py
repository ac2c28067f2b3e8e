"""Each operation of the OpenAPI document, with each of its examples, against a running system.

What is sent is made from the document alone, as by the page `/docs` or a generator: the examples of
bodies and parameters, and what a parameter's schema has to be. Only ids are from this test.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest
from openapi_schema_validator import OAS31Validator
from sqlalchemy import Engine

from app.clients.checks import SCOPES
from app.clients.credentials import ClientSecret, create_client
from app.clients.keys import create_key
from tests.support.described import bare_document, operations_of, resolved
from tests.support.receiver import receiving
from tests.support.stack import Stack, wait_for

DOCUMENT = bare_document()
ITEM = {"asin": "B000000001", "countryCode": "US", "percACoS": 2.7}
INVALID = {"asin": "B000000001", "countryCode": "usa", "percACoS": 2.7}
_JOB = {"code": "batch_job_1", "jobName": "Example Job", "domain": "Catalog"}
# Long enough to be paused before it has ended.
_LONG = {"operation": "demo.sleep", "items": [{"seconds": 0.5}] * 200}

OPERATIONS = {said["operationId"]: (place, said) for place, said in operations_of(DOCUMENT)}
CASES = [
    pytest.param(name, kind, id=f"{name}-{PurePosixPath(kind).name}" if kind else name)
    for name, (_, said) in OPERATIONS.items()
    for kind in said.get("requestBody", {}).get("content", {"": None})
]


@dataclass
class World:
    """What an operation works on, made as it is asked for."""

    stack: Stack
    http: httpx.Client
    client: ClientSecret
    engine: Engine
    receiver: str

    def submitted(self, **fields: Any) -> str:
        body = {"operation": "catalog.masterlist", "items": [ITEM], **fields}
        return str(self._made(self.http.post("/v1/batches", json=body))["id"])

    def ended(self, *items: Any) -> str:
        batch_id = self.submitted(items=list(items) or [ITEM])
        self.stack.finished(self.http, batch_id)
        return batch_id

    def running(self) -> str:
        return self.submitted(**_LONG)

    def paused(self) -> str:
        batch_id = self.running()
        self._made(self.http.post(f"/v1/batches/{batch_id}/pause"))
        return batch_id

    def awaiting(self) -> str:
        """A batch of another key's that is AWAITING."""
        key = create_key(self.engine, self.client.client_id)
        with self.stack.http(key) as http:
            body = {"operation": "catalog.masterlist", "items": [ITEM], "approval": True}
            batch_id = str(self._made(http.post("/v1/batches", json=body))["id"])
            wait_for(lambda: http.get(f"/v1/batches/{batch_id}").json()["status"] == "AWAITING")
        return batch_id

    def hook(self) -> str:
        return str(self._made(self.http.post("/v1/webhooks", json={"url": self.receiver}))["id"])

    def delivery(self) -> tuple[str, str]:
        hook = self.hook()
        self.ended()
        [delivery] = self._made(self.http.get(f"/v1/webhooks/{hook}/deliveries"))["data"]
        return hook, delivery["id"]

    def key(self) -> str:
        path = f"/v1/clients/{self.client.client_id}/keys"
        return str(self._made(self.http.post(path, json={"name": "another"}))["keyId"])

    def other_client(self) -> str:
        made = self.http.post("/v1/clients", json={"name": f"other {uuid4()}"})
        return str(self._made(made)["clientId"])

    def by_dialect(self, method: str, path: str, body: Any) -> Any:
        headers = {
            "x-api-key": self.client.api_key,
            "Subscription-Key": self.client.api_key,
            "APIKey": self.client.api_key,
            "SecretKey": self.client.secret,
        }
        return self._made(self.http.request(method, path, json=body, headers=headers))

    def job(self) -> str:
        return str(self.by_dialect("POST", "/platform/data/batchJob", _JOB)["code"])

    def job_with_items(self) -> str:
        code = self.job()
        path = f"/commerce/catalog/admin/products?batchJobCode={code}"
        self.by_dialect("POST", path, {"productCode": "P"})
        return code

    def fluent(self, *, batch: bool = False) -> dict[str, str]:
        job = self.by_dialect("POST", "/api/v4.1/job", {"name": "categories"})["id"]
        if not batch:
            return {"jobid": job}
        body = OPERATIONS["fluentCreateBatch"][1]["requestBody"]["content"]["application/json"]
        made = self.by_dialect("POST", f"/api/v4.1/job/{job}/batch", body["example"])
        return {"jobid": job, "batchId": made["id"]}

    @staticmethod
    def _made(answer: httpx.Response) -> Any:
        assert answer.is_success, answer.text
        return answer.json()


def places(world: World, name: str) -> dict[str, str]:
    """The path parameters of an operation, and whatever has to be there for it to succeed."""
    makers: dict[str, Any] = {
        "appendItems": lambda: {"batch_id": world.submitted(start="manual", items=[])},
        "changeBatch": lambda: {"batch_id": world.submitted(start="manual")},
        "startBatch": lambda: {"batch_id": world.submitted(start="manual")},
        "approveBatch": lambda: {"batch_id": world.awaiting()},
        "rejectBatch": lambda: {"batch_id": world.awaiting()},
        "cancelBatch": lambda: {"batch_id": world.submitted(start="manual")},
        "pauseBatch": lambda: {"batch_id": world.running()},
        "resumeBatch": lambda: {"batch_id": world.paused()},
        "retryBatch": lambda: {"batch_id": world.ended(INVALID)},
        "retryItems": lambda: {"batch_id": world.ended(INVALID)},
        "cancelItems": lambda: {"batch_id": world.submitted(start="manual")},
        "getItem": lambda: {"batch_id": world.ended(), "index": "0"},
        "editItem": lambda: {"batch_id": world.ended(INVALID), "index": "0"},
        "listTries": lambda: {"batch_id": world.ended(), "index": "0"},
        "listRecords": lambda: world.ended() and {"collection": "masterlist"},
        "getRecord": lambda: world.ended() and {"collection": "masterlist", "key": "B000000001:US"},
        "resendDelivery": lambda: dict(
            zip(("webhook_id", "delivery_id"), world.delivery(), strict=True)
        ),
        "setBreaker": lambda: {"name": "demo.sleep"},
        "changeClient": lambda: {"client_id": world.other_client()},
        "revokeClient": lambda: {"client_id": world.other_client()},
        "revokeKey": lambda: {"client_id": str(world.client.client_id), "key_id": world.key()},
        "quartileGetBatch": lambda: {
            "batchId": world.by_dialect("PATCH", "/amazon/v2/process/masterlist", [ITEM])["batchId"]
        },
        "fluentCreateBatch": world.fluent,
        "fluentGetBatch": lambda: world.fluent(batch=True),
        "kiboPerformAction": lambda: {"code": world.job_with_items()},
    }
    if name in makers:
        found: dict[str, str] = makers[name]()
        return found
    (_, path), _ = OPERATIONS[name]
    if path.startswith("/commerce"):
        world.job()
        body = _body(name, "application/json") or {}
        return {
            "productCode": body.get("productCode", "P") if isinstance(body, dict) else "P",
            "attributeFQN": "tenant~color",
            "priceListCode": "spring",
            "currencyCode": "USD",
        }
    if "{code}" in path:
        return {"code": world.job()}
    if "{uuid}" in path:
        item = {"product": "P", "store": 1, "available": True, "units": 1}
        return {"uuid": world.by_dialect("POST", "/batch/product/availability", [item])["uuid"]}
    if "gameball" in name and "{batchId}" in path:
        entry = {"playerUniqueId": "p", "transactionId": str(uuid4()), "amount": "1"}
        body = {"method": "POST", "operation": "cashback", "body": [entry] * 900}
        return {"batchId": world.by_dialect("POST", "/integrations/batch", body)["batchId"]}
    if "{batch_id}" in path:
        return {"batch_id": world.ended()}
    if "{webhook_id}" in path:
        return {"webhook_id": world.hook()}
    return {"client_id": str(world.client.client_id)}


def _body(name: str, kind: str) -> Any:
    content = OPERATIONS[name][1].get("requestBody", {}).get("content", {})
    return content[kind]["example"] if kind in content else None


@pytest.fixture
def world(stack: Stack, engine: Engine) -> Iterator[World]:
    client = create_client(engine, f"examples {uuid4()}", sorted(SCOPES))
    with receiving() as receiver, stack.http(client) as http:
        yield World(stack, http, client, engine, receiver.url)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_it_succeeds(world: World, name: str, kind: str) -> None:
    (method, path), said = OPERATIONS[name]
    there = places(world, name)
    parameters = [*DOCUMENT["paths"][path].get("parameters", []), *said.get("parameters", [])]
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    for each in parameters:
        shown = each.get("example", each["schema"].get("example", each["schema"].get("default")))
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", quote(there[each["name"]], safe=""))
        elif each["in"] == "query" and shown is not None:
            query[each["name"]] = _text(shown)
        else:
            assert not each.get("required"), each
    for needed in said.get("security", []):
        for scheme in needed:
            headers |= _credentials(DOCUMENT["components"]["securitySchemes"][scheme], world.client)
    content = None
    if kind:
        headers["Content-Type"] = kind
        content = _content(_body(name, kind), kind, unique=name == "createClient")
    with httpx.Client(base_url=world.stack.url, timeout=60) as http:
        answer = http.request(method, path, params=query, headers=headers, content=content)
    assert answer.is_success, answer.text
    described = resolved(DOCUMENT, said["responses"][str(answer.status_code)])
    if answer.status_code == 204:
        return
    media = answer.headers["Content-Type"].partition(";")[0]
    assert media in described["content"]
    if media == "application/json":
        schema = {
            "allOf": [described["content"][media]["schema"]],
            "components": DOCUMENT["components"],
        }
        OAS31Validator(schema).validate(answer.json())
    if name in ("submitBatch", "appendItems"):
        batch = answer.json()
        assert batch["summary"]["total"] > 0
        if name == "submitBatch":
            assert world.stack.finished(world.http, batch["id"])["status"] == "SUCCESS"


def _credentials(scheme: dict[str, Any], client: ClientSecret) -> dict[str, str]:
    if scheme["type"] == "http":
        return {"Authorization": f"Bearer {client.secret}"}
    name = scheme["name"]
    is_secret = name in ("SecretKey", "Authorization")
    return {name: client.secret if is_secret else client.api_key}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _content(example: Any, kind: str, *, unique: bool) -> bytes:
    if isinstance(example, str):
        return example.encode()
    if unique:
        # Names of clients are unique, and this test is not alone on its database.
        example = {**example, "name": f"{example['name']} {uuid4()}"}
    return json.dumps(example).encode()
