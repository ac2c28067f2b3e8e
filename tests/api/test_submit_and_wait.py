"""POST /v1/batches?wait=: the answer is held, and what was stored stays so whatever comes of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import Engine

from app.clients.quotas import STREAMS_AT_ONCE, default_quotas, set_quotas
from app.core.settings import Settings
from app.web.watch import batch_watch
from tests.api.conftest import ITEM, MASTERLIST, Caller
from tests.support.stack import wait_for
from tests.support.watches import held

OPEN = {"operation": "catalog.masterlist", "start": "manual", "items": [ITEM]}


def test_a_submission_is_answered_when_its_batch_has_ended(
    app: Flask, api: Caller, engine: Engine
) -> None:
    with app.app_context():
        watch = batch_watch()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(api.submit, OPEN, query="wait=60", headers={"Idempotency-Key": "held"})
        wait_for(lambda: held(watch) == (1, 0), within=30)
        [batch] = api.get("/v1/batches").json["data"]
        assert not answer.done()
        api.post(f"/v1/batches/{batch['id']}/cancel")
        found = answer.result(30)
    assert (found.status_code, found.json["id"], found.json["status"]) == (
        202,
        batch["id"],
        "CANCELED",
    )
    assert found.headers["Location"] == f"/v1/batches/{batch['id']}"
    again = api.submit(OPEN, query="wait=60", headers={"Idempotency-Key": "held"})
    assert (again.json["id"], again.json["status"]) == (batch["id"], "OPEN")


def test_beside_the_fields_of_a_stream(api: Caller) -> None:
    answer = api.submit(
        '{"asin":"A1","countryCode":"US","percACoS":2}',
        query=f"{MASTERLIST}&start=manual&wait=1",
        content_type="application/x-ndjson",
    )
    assert (answer.status_code, answer.json["summary"]["total"]) == (202, 1)


@pytest.mark.parametrize("query", ["wait=61", "wait=-1", "wait=x", "wait=1&wait=1"])
def test_a_wrong_wait_is_told_before_anything_is_stored(api: Caller, query: str) -> None:
    answer = api.submit(OPEN, query=query)
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "/wait"
    assert not api.get("/v1/batches").json["data"]


@pytest.mark.timeout(50)  # sooner than the answer would come that is held
def test_who_may_not_wait_is_answered_at_once(
    api: Caller, engine: Engine, settings: Settings
) -> None:
    assert api.client is not None
    none = {STREAMS_AT_ONCE: 0}
    set_quotas(engine, api.client.client_id, none, default_quotas(settings))
    answer = api.submit(OPEN, query="wait=60")
    assert (answer.status_code, answer.json["status"]) == (202, "OPEN")
