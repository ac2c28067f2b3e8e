"""Fluent's document: jobs, batches of categories, results with their codes, and pages of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select

from app.clients.credentials import ClientSecret
from app.db.models import Batch
from app.dialects.fluent import jobs
from app.dialects.fluent.tables import FluentBatch
from tests.dialects.conftest import Finish, Hold
from tests.dialects.speaking import Speaker

EXAMPLE = """{
  "action": "UPSERT",
  "entityType": "CATEGORY",
  "entities": [
    {
      "categoryRef": "CGR-0001",
      "name": "Category 001",
      "parentCategoryRef": "CGR-000"
    },
    {
      "categoryRef": "CGR-0002",
      "name": "Category 002"
    }
  ]
}"""
FIELDS = {"batchId", "entityType", "status", "start", "count", "total", "results", "createdOn"}


@pytest.fixture
def fluent(speak: Callable[..., Speaker]) -> Speaker:
    """The test's client."""
    return speak("fluent")


@pytest.fixture
def job(fluent: Speaker) -> str:
    """A job's path."""
    made = fluent.post("/api/v4.1/job", {"name": "categories"})
    assert made.status_code == 200
    assert made.json is not None
    assert set(made.json) == {"id"}
    assert made.json["id"].isdecimal()
    return f"/api/v4.1/job/{made.json['id']}"


@pytest.fixture
def run(fluent: Speaker, job: str, finish: Finish) -> Callable[[Any], tuple[str, Any]]:
    """`run(entities)`: the path of a batch that has ended, and what its GET answers."""

    def run(entities: Any) -> tuple[str, Any]:
        body = entities
        if not isinstance(entities, str):
            body = {"action": "UPSERT", "entityType": "CATEGORY", "entities": entities}
        made = fluent.post(f"{job}/batch", body)
        assert made.status_code == 200, made.data
        assert made.json is not None
        assert set(made.json) == {"id"}
        assert re.fullmatch("[1-9][0-9]*", made.json["id"])
        finish("fluent", made.json["id"])
        path = f"{job}/batch/{made.json['id']}"
        return path, fluent.get(path).json

    return run


def category(reference: str, parent: str | None = None) -> dict[str, str]:
    """An entity."""
    made = {"categoryRef": reference, "name": f"Category {reference}"}
    return made if parent is None else {**made, "parentCategoryRef": parent}


def test_the_documents_example(run: Callable[..., Any], record: Callable[[str, str], Any]) -> None:
    path, shown = run(EXAMPLE)
    assert set(shown) == FIELDS
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", shown.pop("createdOn"))
    missing, stored = shown.pop("results")
    assert shown == {
        "batchId": path.rpartition("/")[2],
        "entityType": "CATEGORY",
        "status": "COMPLETE",
        "start": 1,
        "count": 100,
        "total": 2,
    }
    assert missing == {
        "responseCode": 404,
        "entityRef": "CGR-0001",
        "message": 'Parent category "CGR-000" does not exist',
    }
    entity_id = stored.pop("entityId")
    assert re.fullmatch("[1-9][0-9]*", entity_id)
    assert stored == {
        "responseCode": 200,
        "entityRef": "CGR-0002",
        "message": "Category update successfully",
    }
    assert record("category", "CGR-0001") is None
    assert record("category", "CGR-0002")["id"] == entity_id


def test_an_entity_keeps_its_id(run: Callable[..., Any]) -> None:
    _, first = run([category("A"), category("B", "A")])
    _, second = run([category("B"), category("A")])
    ids = {result["entityRef"]: result["entityId"] for result in first["results"]}
    assert len(set(ids.values())) == 2
    assert {result["entityRef"]: result["entityId"] for result in second["results"]} == ids


def test_a_parent_may_stand_anywhere(run: Callable[..., Any]) -> None:
    depth = 40
    entities = [category(f"c{n}", f"c{n - 1}" if n else None) for n in reversed(range(depth))]
    _, shown = run(entities)
    assert {result["responseCode"] for result in shown["results"]} == {200}
    assert [result["entityRef"] for result in shown["results"]] == [
        f"c{n}" for n in reversed(range(depth))
    ]


def test_codes_of_what_does_not_succeed(run: Callable[..., Any]) -> None:
    _, shown = run(
        [
            category("circle-1", "circle-2"),
            category("circle-2", "circle-1"),
            category("child", "missing"),
            category("grandchild", "child"),
            {"categoryRef": "nameless"},
            {"name": "without a reference"},
            {**category("more"), "surplus": 1},
            category("good"),
        ]
    )
    assert shown["status"] == "COMPLETE"
    results = shown["results"]
    assert [result["responseCode"] for result in results] == [
        404,
        404,
        404,
        404,
        500,
        500,
        500,
        200,
    ]
    assert ["entityId" in result for result in results] == [False] * 7 + [True]
    assert results[3]["message"] == 'Parent category "child" does not exist'
    assert results[4]["message"] == "name: Missing data for required field."
    assert results[5]["entityRef"] is None


@pytest.mark.parametrize(
    ("status", "word"), [("OPEN", "PENDING"), ("SCHEDULED", "PENDING"), ("PAUSED", "RUNNING")]
)
def test_before_it_is_processed(
    fluent: Speaker,
    job: str,
    hold: Hold,
    engine: Engine,
    client: ClientSecret,
    status: str,
    word: str,
) -> None:
    number = hold("fluent", "catalog.category", ['{"categoryRef":"A"}'] * 2, status)
    join(engine, client, job, number)
    shown = fluent.get(f"{job}/batch/{number}").json
    assert shown is not None
    assert (shown["status"], shown["total"], shown["results"]) == (word, 2, [])


def test_canceled_entities_are_500(
    fluent: Speaker, job: str, hold: Hold, engine: Engine, client: ClientSecret
) -> None:
    number = hold("fluent", "catalog.category", ['{"categoryRef":"A"}'])
    join(engine, client, job, number)
    found = fluent.get(f"/v1/batches?dialect=fluent&reference={number}").json
    assert found is not None
    fluent.post(f"/v1/batches/{found['data'][0]['id']}/cancel", None)
    shown = fluent.get(f"{job}/batch/{number}").json
    assert shown is not None
    assert shown["status"] == "COMPLETE"
    assert shown["results"] == [
        {
            "responseCode": 500,
            "entityRef": "A",
            "message": "Canceled before it was processed",
        }
    ]


def join(engine: Engine, client: ClientSecret, job: str, number: str) -> None:
    """Put a held batch into a job."""
    with engine.begin() as connection:
        batch_id = connection.execute(
            select(Batch.id).where(Batch.client_id == client.client_id, Batch.reference == number)
        ).scalar_one()
        job_id = int(job.rpartition("/")[2])
        connection.execute(insert(FluentBatch).values(batch_id=batch_id, job_id=job_id))


def test_pages_of_results(fluent: Speaker, run: Callable[..., Any]) -> None:
    path, shown = run([category(f"c{n}") for n in range(1, 106)])
    assert [len(shown["results"]), shown["count"], shown["total"]] == [100, 100, 105]
    for start, count, first, length in (
        (1, 5, "c1", 5),
        (101, 100, "c101", 5),
        (105, 1, "c105", 1),
        (2, 5000, "c2", 104),
        (106, 100, None, 0),
        (2**31 - 1, 5000, None, 0),
    ):
        page = fluent.get(f"{path}?start={start}&count={count}").json
        assert page is not None
        assert [page["start"], page["count"], page["total"]] == [start, count, 105]
        assert len(page["results"]) == length
        assert first is None or page["results"][0]["entityRef"] == first


@pytest.mark.parametrize(
    "query",
    ["start=0", "start=-1", "start=x", "count=0", "count=5001", "count=", f"start={2**70}"],
)
def test_pages_that_cannot_be(fluent: Speaker, run: Callable[..., Any], query: str) -> None:
    path, _ = run([category("A")])
    response = fluent.get(f"{path}?{query}")
    assert response.status_code == 400
    assert response.json is not None
    ((error),) = response.json["error"]
    assert error["code"] == "400"
    assert error["message"].startswith(f"Bad Request: {query.partition('=')[0]}")


def test_a_batch_belongs_to_its_job(
    fluent: Speaker, run: Callable[..., Any], speak: Callable[..., Speaker], other: ClientSecret
) -> None:
    path, shown = run([category("A")])
    another = fluent.post("/api/v4.1/job", {"name": "another"}).json
    assert another is not None
    number = shown["batchId"]
    job = path.split("/")[4]
    stranger = speak("fluent", other)
    for wrong in (
        f"/api/v4.1/job/{another['id']}/batch/{number}",
        f"/api/v4.1/job/{job}/batch/{int(number) + 1000}",
        f"/api/v4.1/job/0{job}/batch/{number}",
        f"/api/v4.1/job/{job}/batch/0{number}",
        f"/api/v4.1/job/{job} /batch/{number}",
        f"/api/v4.1/job/x/batch/{number}",
        f"/api/v4.1/job/{job}/batch/x",
        f"/api/v4.1/job/{2**80}/batch/{number}",
    ):
        response = fluent.get(wrong)
        assert response.status_code == 404, wrong
        assert response.json is not None
        assert response.json["error"][0]["code"] == "404"
        assert response.json["error"][0]["message"].startswith("Not Found")
    assert stranger.get(path).status_code == 404


@pytest.mark.parametrize("jobid", ["999999999", "0", "-1", "x", "1.5", str(2**63), "١", "a%00b"])
def test_batches_of_jobs_that_are_not_there(fluent: Speaker, jobid: str) -> None:
    response = fluent.post(f"/api/v4.1/job/{jobid}/batch", EXAMPLE)
    assert response.status_code == 404


def test_another_clients_job(job: str, speak: Callable[..., Speaker], other: ClientSecret) -> None:
    assert speak("fluent", other).post(f"{job}/batch", EXAMPLE).status_code == 404


def test_errors_that_nobody_expected(
    fluent: Speaker, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours tells nothing of itself, in the document's words."""

    def fail(*_: Any) -> None:
        raise RuntimeError("a fault, made on purpose")

    monkeypatch.setattr(jobs, "find", fail)
    response = fluent.get(f"{job}/batch/1")
    assert response.status_code == 500
    assert response.json == {"error": [{"message": "Status 500 Error", "code": "500"}]}
