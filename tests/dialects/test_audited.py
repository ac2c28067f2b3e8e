"""What came by a dialect is audited as what came natively is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask

from app.clients.credentials import ClientSecret
from tests.dialects.sending import Sender, every
from tests.dialects.speaking import Speaker


def told(application: Flask, client: ClientSecret) -> list[dict[str, Any]]:
    """What the client's audit shows, the newest first, but for that it was made."""
    headers = {"Authorization": f"Bearer {client.secret}"}
    answer: Any = application.test_client().get("/v1/audit", headers=headers).json
    return [entry for entry in answer["data"] if entry["action"] != "client.create"]


@every
def test_a_submission_is_told(
    sender: Sender, application: Flask, client: ClientSecret, dialect: str
) -> None:
    before = len(told(application, client))
    assert sender(sender.how.body(sender.how.items(2))).status_code < 300
    found = told(application, client)
    [entry] = found[: len(found) - before]
    assert entry["action"] == ("batch.append" if dialect == "kibo" else "batch.submit")
    assert entry["keyId"] == str(client.key_id)
    assert entry["address"] == "127.0.0.1"
    assert entry["detail"]["items"] == 2
    if dialect != "kibo":
        assert entry["detail"]["dialect"] == dialect


@every
def test_a_refusal_is_not(
    sender: Sender, application: Flask, client: ClientSecret, dialect: str
) -> None:
    before = told(application, client)
    sender.refused("{")
    assert told(application, client) == before


def test_a_job_of_fluent(
    speak: Callable[..., Speaker], application: Flask, client: ClientSecret
) -> None:
    fluent = speak("fluent")
    made = fluent.post("/api/v4.1/job", {"name": "categories"}, headers={"Idempotency-Key": "k"})
    fluent.post("/api/v4.1/job", {"name": "categories"}, headers={"Idempotency-Key": "k"})
    fluent.post("/api/v4.1/job", {"name": ""})
    assert made.json is not None
    [entry] = told(application, client)
    assert (entry["action"], entry["batchId"]) == ("job.create", None)
    assert entry["detail"] == {"jobId": int(made.json["id"]), "name": "categories"}


def test_a_job_and_what_is_done_with_it(
    speak: Callable[..., Speaker], application: Flask, client: ClientSecret
) -> None:
    kibo = speak("kibo")
    job = {"code": "j1", "jobName": "job", "domain": "Catalog"}
    assert kibo.post("/platform/data/batchJob", job).status_code == 201
    kibo("PUT", "/platform/data/batchJob/j1", {"jobName": "other"})
    kibo.post("/platform/data/batchJob/actions/j1", {"action": "cancel"})
    kibo.post("/platform/data/batchJob/actions/j1", {"action": "reset"})
    actions = [entry["action"] for entry in told(application, client)]
    assert actions == ["batch.reset", "batch.cancel", "batch.amend", "batch.submit"]
