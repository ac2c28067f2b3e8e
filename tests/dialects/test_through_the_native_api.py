"""A batch that came by a dialect is seen and steered through `/v1`, and its dialect sees that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.clients.credentials import ClientSecret
from tests.dialects.conftest import Finish, Hold
from tests.dialects.facts import FACTS
from tests.dialects.facts.kibo import CATALOG, JOB, JOBS
from tests.dialects.facts.kinds import Reading
from tests.dialects.speaking import Speaker
from tests.support.stack import Stack


@pytest.fixture
def native(speak: Callable[..., Speaker]) -> Speaker:
    """The test's client, by the native API (whose credentials are those of Fluent's dialect)."""
    return speak("fluent")


def test_failed_entities_are_retried(
    native: Speaker, stack: Stack, client: ClientSecret, finish: Finish
) -> None:
    job = native.post("/api/v4.1/job", {"name": "tree"}).json
    assert job is not None
    path = f"/api/v4.1/job/{job['id']}/batch"

    def send(reference: str, **more: str) -> str:
        entity = {"categoryRef": reference, "name": reference, **more}
        body = {"action": "UPSERT", "entityType": "CATEGORY", "entities": [entity]}
        made = native.post(path, body).json
        assert made is not None
        return str(made["id"])

    child = send("child", parentCategoryRef="parent")
    failed = finish("fluent", child)
    assert (failed["status"], failed["name"]) == ("FAILED", "tree")
    finish("fluent", send("parent"))
    assert native.post(f"/v1/batches/{failed['id']}/retry", None).status_code == 202
    with stack.http(client) as http:
        stack.finished(http, failed["id"])
    shown = native.get(f"{path}/{child}").json
    assert shown is not None
    assert shown["results"][0]["responseCode"] == 200


def test_a_job_is_filled_by_both(native: Speaker, speak: Callable[..., Speaker]) -> None:
    kibo = speak("kibo")
    kibo.post(JOBS, JOB)
    found = native.get(f"/v1/batches?dialect=kibo&reference={JOB['code']}").json
    assert found is not None
    (batch,) = found["data"]
    assert (batch["status"], batch["name"]) == ("OPEN", "Example Job")
    data = {"product": "A", "store": 1, "price": 1, "currency": "EUR"}
    items = [{"operation": "catalog.price", "data": data}]
    assert native.post(f"/v1/batches/{batch['id']}/items", items).status_code == 200
    kibo.post(f"{CATALOG}/products?batchJobCode={JOB['code']}", {"productCode": "P"})
    shown = kibo.get(f"{JOBS}/items/{JOB['code']}").json
    assert shown is not None
    assert [item["resourceType"] for item in shown["items"]] == [None, "Products"]


@pytest.mark.parametrize(
    ("dialect", "reading"),
    [
        (name, reading)
        for name, facts in FACTS.items()
        for reading in facts.readings
        if reading.entries is not None
    ],
    ids=lambda value: value if isinstance(value, str) else value.path,
)
def test_items_that_a_dialect_would_have_refused(
    native: Speaker, speak: Callable[..., Speaker], hold: Hold, dialect: str, reading: Reading
) -> None:
    """Natively an item may be anything at all."""
    reference = hold(dialect, reading.operation, ["{}"])
    found = native.get(f"/v1/batches?dialect={dialect}&reference={reference}").json
    assert found is not None
    batch = f"/v1/batches/{found['data'][0]['id']}"
    odd: list[Any] = [7, "text", None, [], [{"id": 1}], {"id": "x" * 10}, {"": 1}]
    assert native.post(f"{batch}/items", odd).status_code == 200
    path = reading.path.format(id=reference)
    assert speak(dialect).get(path).status_code in (200, 206)
    assert native.post(f"{batch}/cancel", None).status_code == 202
    shown = speak(dialect).get(path).json
    assert shown is not None
    assert reading.entries is not None
    assert len(reading.entries(shown)) == 8
