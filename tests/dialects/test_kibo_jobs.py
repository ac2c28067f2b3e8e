"""Kibo's document: jobs, what may be done with them, and their statuses."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import Engine, update
from werkzeug.test import TestResponse

from app.clients.credentials import ClientSecret
from app.db.models import Batch
from tests.dialects.conftest import Finish, Hold
from tests.dialects.facts.kibo import CATALOG, JOB, JOBS
from tests.dialects.speaking import Speaker

EXAMPLE = (
    '{ "code": "batch_job_1", "jobName": "Example Job", "scheduledDate": null, '
    '"domain": "Catalog", "status": "Ready" }'
)
CODE = "batch_job_1"
FIELDS = {"code", "jobName", "domain", "status", "scheduledDate", "createDate"}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture
def kibo(speak: Callable[..., Speaker]) -> Speaker:
    """The test's client."""
    return speak("kibo")


def act(kibo: Speaker, action: str, code: str = CODE) -> TestResponse:
    """Perform Batch Action."""
    return kibo.post(f"{JOBS}/actions/{code}", {"action": action})


def status_of(kibo: Speaker, code: str = CODE) -> str:
    """The job's status."""
    shown = kibo.get(f"{JOBS}/{code}").json
    assert shown is not None
    return str(shown["status"])


def add(kibo: Speaker, product: str, code: str = CODE) -> TestResponse:
    """Add a product, by the document's own path."""
    return kibo.post(f"{CATALOG}/products/?batchJobCode={code}", {"productCode": product})


def test_the_documents_process(
    kibo: Speaker, finish: Finish, record: Callable[[str, str], Any]
) -> None:
    made = kibo.post(JOBS, EXAMPLE)
    assert made.status_code == 201
    job = made.json
    assert job is not None
    assert set(job) == FIELDS
    assert MOMENT.fullmatch(job["createDate"])
    assert {name: job[name] for name in JOB} == JOB
    assert kibo.get(f"{JOBS}/{CODE}").json == job

    added = add(kibo, "P1")
    assert added.status_code == 202
    assert added.json == {"batchJobCode": CODE, "added": 1, "totalCount": 1}
    items = kibo.get(f"{JOBS}/items/{CODE}").json
    assert items is not None
    assert {name: items[name] for name in ("startIndex", "pageSize", "totalCount")} == {
        "startIndex": 0,
        "pageSize": 100,
        "totalCount": 1,
    }
    (item,) = items["items"]
    assert set(item) == {"id", "resourceType", "processingStatus", "message", "data"}
    assert (item["resourceType"], item["processingStatus"]) == ("Products", "Waiting")
    assert item["data"] == {"productCode": "P1"}
    assert record("product", "P1") is None

    started = kibo.post(f"{JOBS}/actions/{CODE}", '{ "action": "start" }')
    assert started.status_code == 200
    assert started.json is not None
    assert set(started.json) == FIELDS
    batch = finish("kibo", CODE)
    assert (batch["name"], batch["status"]) == ("Example Job", "SUCCESS")
    assert status_of(kibo) == "Completed"
    assert record("product", "P1") == {"productCode": "P1"}
    after = kibo.get(f"{JOBS}/items/{CODE}").json
    assert after is not None
    assert after["items"] == [{**item, "processingStatus": "Completed"}]


def test_only_code_name_and_domain_are_needed(kibo: Speaker) -> None:
    made = kibo.post(JOBS, {"code": "short", "name": "by its other name", "domain": "Catalog"})
    assert made.status_code == 201
    assert made.json is not None
    assert made.json["jobName"] == "by its other name"
    assert (made.json["status"], made.json["scheduledDate"]) == ("Ready", None)
    twice = {"code": "two", "name": "a", "jobName": "b", "domain": "Catalog"}
    assert kibo.post(JOBS, twice).status_code == 400


@pytest.mark.parametrize("code", ["a b", "{batch_job_1}", "ünï", "17", "x" * 200, "a%b", "items"])
def test_codes(kibo: Speaker, code: str) -> None:
    assert kibo.post(JOBS, {**JOB, "code": code}).status_code == 201
    path = f"{JOBS}/{quote(code)}"
    shown = kibo.get(path).json
    assert shown is not None
    assert shown["code"] == code
    assert add(kibo, "P", quote(code)).status_code == 202
    assert act(kibo, "cancel", quote(code)).status_code == 200
    assert kibo.get(f"{JOBS}/items/{quote(code)}").status_code == 200


def test_a_code_is_taken_once_by_each_client(
    kibo: Speaker, speak: Callable[..., Speaker], other: ClientSecret
) -> None:
    assert kibo.post(JOBS, JOB).status_code == 201
    assert kibo.post(JOBS, {**JOB, "jobName": "again"}).status_code == 409
    stranger = speak("kibo", other)
    assert stranger.get(f"{JOBS}/{CODE}").status_code == 404
    assert stranger.post(JOBS, {**JOB, "jobName": "theirs"}).status_code == 201
    assert add(stranger, "theirs").status_code == 202
    mine = kibo.get(f"{JOBS}/items/{CODE}").json
    assert mine is not None
    assert mine["totalCount"] == 0
    shown = kibo.get(f"{JOBS}/{CODE}").json
    assert shown is not None
    assert shown["jobName"] == "Example Job"


def test_only_the_name_can_be_changed(kibo: Speaker) -> None:
    scheduled = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    job = kibo.post(JOBS, {**JOB, "scheduledDate": scheduled.isoformat()}).json
    assert job is not None
    path = f"{JOBS}/{CODE}"
    for change in ({"jobName": "other"}, {"name": "other still"}, {**job, "jobName": "as it was"}):
        renamed = kibo("PUT", path, change)
        assert renamed.status_code == 200, renamed.data
        name = change.get("jobName") or change["name"]
        assert renamed.json == {**job, "jobName": name}
    same_moment = scheduled.astimezone().isoformat()
    assert kibo("PUT", path, {"jobName": "x", "scheduledDate": same_moment}).status_code == 200
    for field, value in (
        ("code", "another"),
        ("domain", "Orders"),
        ("status", "Pending"),
        ("scheduledDate", None),
        ("createDate", "2020-01-01T00:00:00Z"),
    ):
        refused = kibo("PUT", path, {"jobName": "changed", field: value})
        assert refused.status_code == 400
        assert refused.json is not None
        assert refused.json["errors"][0]["pointer"] == f"/{field}"
    assert kibo("PUT", path, {}).status_code == 400
    assert kibo("PUT", path, {"jobName": "changed", "surplus": 1}).status_code == 400
    shown = kibo.get(path).json
    assert shown is not None
    assert shown["jobName"] == "x"


def test_a_job_can_be_renamed_in_every_state(kibo: Speaker, finish: Finish) -> None:
    kibo.post(JOBS, JOB)
    add(kibo, "P")
    act(kibo, "start")
    finish("kibo", CODE)
    renamed = kibo("PUT", f"{JOBS}/{CODE}", {"jobName": "after the end"})
    assert renamed.json is not None
    assert (renamed.json["jobName"], renamed.json["status"]) == ("after the end", "Completed")


def test_reset_is_for_jobs_that_are_over(kibo: Speaker, finish: Finish) -> None:
    kibo.post(JOBS, JOB)
    add(kibo, "P")
    assert act(kibo, "reset").status_code == 409
    assert act(kibo, "cancel").status_code == 200
    assert status_of(kibo) == "Canceled"
    items = kibo.get(f"{JOBS}/items/{CODE}").json
    assert items is not None
    assert items["items"][0]["processingStatus"] == "Canceled"
    assert act(kibo, "cancel").status_code == 409
    assert act(kibo, "start").status_code == 409
    assert add(kibo, "Q").status_code == 409

    reset = act(kibo, "reset")
    assert reset.status_code == 200
    assert reset.json is not None
    assert reset.json["status"] == "Ready"
    empty = kibo.get(f"{JOBS}/items/{CODE}").json
    assert empty is not None
    assert (empty["items"], empty["totalCount"]) == ([], 0)

    assert add(kibo, "Q").status_code == 202
    assert act(kibo, "start").status_code == 200
    finish("kibo", CODE)
    assert status_of(kibo) == "Completed"
    assert act(kibo, "start").status_code == 409
    assert add(kibo, "R").status_code == 409
    assert act(kibo, "reset").status_code == 200
    assert status_of(kibo) == "Ready"


def test_an_empty_job_cannot_be_started(kibo: Speaker) -> None:
    kibo.post(JOBS, JOB)
    refused = act(kibo, "start")
    assert refused.status_code == 409
    assert refused.json is not None
    assert "empty" in refused.json["detail"]


def test_a_scheduled_job_waits_for_start_and_then_for_its_date(
    kibo: Speaker, stack: Any, client: ClientSecret, finish: Finish
) -> None:
    when = datetime.now(UTC) + timedelta(seconds=4)
    made = kibo.post(JOBS, {**JOB, "scheduledDate": when.isoformat()})
    assert made.json is not None
    assert made.json["status"] == "Ready"
    assert add(kibo, "P").status_code == 202
    assert status_of(kibo) == "Ready"
    started = act(kibo, "start")
    assert started.json is not None
    assert started.json["status"] == "Pending"
    assert add(kibo, "Q").status_code == 409
    batch = finish("kibo", CODE)
    assert status_of(kibo) == "Completed"
    began = datetime.fromisoformat(batch["startedAt"])
    assert when - timedelta(seconds=0.1) <= began <= when + timedelta(seconds=10)


def test_a_date_that_has_passed_by_the_time_of_start(
    kibo: Speaker, engine: Engine, client: ClientSecret, finish: Finish
) -> None:
    when = datetime.now(UTC) + timedelta(days=1)
    kibo.post(JOBS, {**JOB, "scheduledDate": when.isoformat()})
    add(kibo, "P")
    with engine.begin() as connection:
        connection.execute(
            update(Batch)
            .where(Batch.client_id == client.client_id)
            .values(scheduled_at=datetime.now(UTC) - timedelta(seconds=1))
        )
    assert act(kibo, "start").status_code == 200
    finish("kibo", CODE)
    assert status_of(kibo) == "Completed"


def test_a_pending_job_can_be_canceled(kibo: Speaker) -> None:
    when = datetime.now(UTC) + timedelta(days=1)
    kibo.post(JOBS, {**JOB, "scheduledDate": when.isoformat()})
    add(kibo, "P")
    act(kibo, "start")
    canceled = act(kibo, "cancel")
    assert canceled.json is not None
    assert canceled.json["status"] == "Canceled"
    reset = act(kibo, "reset")
    assert reset.json is not None
    assert (reset.json["status"], reset.json["scheduledDate"]) == ("Ready", None)


@pytest.mark.parametrize(
    ("status", "word"), [("OPEN", "Ready"), ("SCHEDULED", "Pending"), ("PAUSED", "Ready")]
)
def test_statuses_before_the_end(kibo: Speaker, hold: Hold, status: str, word: str) -> None:
    code = hold("kibo", "catalog.product.add", ['{"productCode":"P"}'], status)
    assert status_of(kibo, code) == word


def test_the_list_of_jobs(
    kibo: Speaker, speak: Callable[..., Speaker], other: ClientSecret
) -> None:
    for number in range(5):
        kibo.post(JOBS, {**JOB, "code": f"job-{number}"})
        time.sleep(0.002)  # ids sort by the millisecond
    speak("kibo", other).post(JOBS, {**JOB, "code": "theirs"})
    speak("nilo").post("/batch/price/update", [{}])
    whole = kibo.get(JOBS).json
    assert whole is not None
    assert [job["code"] for job in whole["items"]] == [f"job-{n}" for n in (4, 3, 2, 1, 0)]
    assert set(whole["items"][0]) == FIELDS
    page = kibo.get(f"{JOBS}/?startIndex=1&pageSize=2").json
    assert page is not None
    assert [job["code"] for job in page["items"]] == ["job-3", "job-2"]
    assert (page["startIndex"], page["pageSize"], page["totalCount"]) == (1, 2, 5)
    for query in ("startIndex=-1", "pageSize=0", "pageSize=1001", "pageSize=x"):
        assert kibo.get(f"{JOBS}?{query}").status_code == 400


@pytest.mark.parametrize("code", ["none", "a%00b", "%20", "x" * 3000])
def test_jobs_that_are_not_there(kibo: Speaker, code: str) -> None:
    assert kibo.get(f"{JOBS}/{code}").status_code == 404
    assert kibo("PUT", f"{JOBS}/{code}", {"jobName": "x"}).status_code == 404
    assert act(kibo, "start", code).status_code == 404
    assert kibo.get(f"{JOBS}/items/{code}").status_code == 404
    assert add(kibo, "P", code).status_code == 404
