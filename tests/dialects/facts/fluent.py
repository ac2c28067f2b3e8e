"""Fluent Commerce."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from werkzeug.test import TestResponse

from tests.dialects.facts.kinds import Call, Envelope, Facts, Refused, Submitting

if TYPE_CHECKING:
    from tests.dialects.speaking import Speaker

CATEGORY = {"categoryRef": "CGR-0002", "name": "Category 002"}
FLUENT: dict[str, Any] = {"action": "UPSERT", "entityType": "CATEGORY", "entities": [CATEGORY]}
_WORDS = {401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}


def _make_job(speaker: Speaker) -> Mapping[str, str]:
    job = speaker.post("/api/v4.1/job", {"name": "job"}).json
    assert job is not None
    return {"job": job["id"]}


@dataclass(frozen=True)
class _FluentErrors(Refused):
    """The document's own shape."""

    schema: str | None = "FluentErrors"

    def said(self, response: TestResponse, status: int) -> str:
        assert response.json is not None
        ((error),) = response.json["error"]
        assert set(error) == {"message", "code"}
        assert error["code"] == str(status)
        assert error["message"].startswith(_WORDS.get(status, ""))
        return str(error["message"])


FACTS = Facts(
    headers=lambda _, secret: {"Authorization": f"Bearer {secret}"},
    calls=(
        Call("POST", "/api/v4.1/job", "batches.write", {"name": "job"}),
        Call("POST", "/api/v4.1/job/999999999/batch", "batches.write", FLUENT),
        Call("GET", "/api/v4.1/job/999999999/batch/999999999", "batches.read"),
    ),
    submitting=Submitting(
        "/api/v4.1/job/{job}/batch",
        CATEGORY,
        body=lambda items: {**FLUENT, "entities": items},
        member="entities",
        begin=_make_job,
    ),
    envelopes=(
        Envelope(
            "/api/v4.1/job/{job}/batch",
            FLUENT,
            {
                "action": [None, "INSERT", "upsert", 1],
                "entityType": [None, "PRODUCT", "category"],
                "entities": [None, {}, "text"],
            },
            begin=_make_job,
        ),
        Envelope("/api/v4.1/job", {"name": "job"}, {"name": [None, "", 7, "x" * 256, "a\x00"]}),
    ),
    refused=_FluentErrors(),
    nowhere=("/api/v4.1", "/api/v4.1/jobs"),
    not_allowed=(("DELETE", "/api/v4.1/job/1/batch/1", "GET"),),
)
