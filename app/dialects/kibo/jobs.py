"""Batch jobs: made, looked at, renamed, started, canceled and reset."""

from __future__ import annotations

from typing import Any

from flask import Response
from sqlalchemy import Connection

from app.batches.actions import act, amend
from app.batches.batch_view import BatchView
from app.batches.queries import BatchFilter, find_batch, list_batches
from app.batches.submission import write
from app.core.errors import FieldError, Malformed
from app.core.ids import new_id
from app.core.jsontext import moment
from app.db import read
from app.db.clock import has_passed
from app.dialects.common.batches import count
from app.dialects.common.bodies import Sent, read_envelope
from app.dialects.common.documents import json_body, takes
from app.dialects.common.submitting import carry_out, read_body
from app.dialects.kibo.dialect import JOB, NAME, blueprint, dialect, find_job
from app.dialects.kibo.examples import EXAMPLES
from app.dialects.kibo.schemas import (
    DOMAIN,
    KiboAction,
    KiboJob,
    KiboJobChange,
    KiboJobs,
    KiboNewJob,
    KiboPage,
)
from app.dialects.kibo.statements import FIND_JOB_BEFORE
from app.web.auth import caller
from app.web.batch_responses import batch_headers
from app.web.responses import answer
from app.web.services import services
from app.web.submissions import submission_by_caller

_NEW_JOB, _CHANGE, _ACTION = KiboNewJob(), KiboJobChange(), KiboAction()
_JOBS = "/platform/data/batchJob"


@blueprint.route(_JOBS, methods=["POST"], strict_slashes=False)
@dialect.require("batches.write")
@blueprint.doc(operationId="kiboCreateJob", **takes(KiboNewJob, EXAMPLES["job"]))
@blueprint.response(201, KiboJob)
def create_job() -> Response:
    """Create Batch Job: empty, and Ready to take items until it is started."""
    batch_id = new_id()

    def store(connection: Connection, asked: dict[str, Any]) -> Response:
        scheduled_at = asked.get("scheduledDate")
        if scheduled_at is not None and has_passed(connection, scheduled_at):
            wrong = FieldError("/scheduledDate", "Must be in the future.")
            raise Malformed(f"scheduledDate: {wrong.message}", errors=[wrong])
        submission = submission_by_caller(
            id=batch_id,
            name=asked["jobName"],
            start="manual",
            scheduled_at=scheduled_at,
            dialect=NAME,
            reference=asked["code"],
        )
        write(connection, services().registry, submission, [])
        made = find_batch(connection, submission.client_id, submission.id)
        return answer(_shown(made), 201)

    return carry_out(lambda body: read_envelope(body, _NEW_JOB), store, stores=batch_id)


@blueprint.route(_JOBS, methods=["GET"], strict_slashes=False)
@dialect.require("batches.read")
@blueprint.doc(operationId="kiboListJobs")
@blueprint.arguments(KiboPage, location="query")
@blueprint.response(200, KiboJobs)
def list_jobs(query: dict[str, int]) -> Response:
    """Get Batch Jobs: the newest first."""
    start, size = query["startIndex"], query["pageSize"]
    client_id = caller().client_id

    def page(connection: Connection) -> tuple[list[BatchView], int]:
        this = {"client_id": client_id, "dialect": NAME, "start": start - 1}
        before = connection.execute(FIND_JOB_BEFORE, this).scalar() if start else None
        total = count(connection, NAME)
        if start and before is None:
            return [], total
        which = BatchFilter(dialect=NAME)
        # By an index that has just these, so that no page of it ends early.
        return list_batches(connection, client_id, which, before=before, limit=size)[0], total

    found, total_count = read(services().engine, page)
    return answer(
        {
            "items": [_shown(job) for job in found],
            "startIndex": start,
            "pageSize": size,
            "totalCount": total_count,
        }
    )


@blueprint.route(f"{_JOBS}/<code>", methods=["GET"], strict_slashes=False)
@dialect.require("batches.read")
@blueprint.doc(operationId="kiboGetJob")
@blueprint.response(200, KiboJob)
def get_job(code: str) -> Response:
    """Get Batch Job."""
    job = find_job(code)
    return answer(_shown(job), headers=batch_headers(job))


@blueprint.route(f"{_JOBS}/<code>", methods=["PUT"], strict_slashes=False)
@dialect.require("batches.write")
@blueprint.doc(
    operationId="kiboUpdateJob", requestBody=json_body(KiboJobChange, {"jobName": "Another name"})
)
@blueprint.response(200, KiboJob)
def update_job(code: str) -> Response:
    """Update Batch Job: only its name can be changed."""
    with Sent(read_body()) as body:
        asked = read_envelope(body, _CHANGE)
    job = find_job(code)
    _refuse_other_changes(job, asked)
    amend(services().engine, caller().client_id, job.id, {"name": asked["jobName"]})
    return answer(_shown(find_job(code)))


@blueprint.route(f"{_JOBS}/actions/<code>", methods=["POST"], strict_slashes=False)
@dialect.require("batches.write")
@blueprint.doc(
    operationId="kiboPerformAction", requestBody=json_body(KiboAction, EXAMPLES["action"])
)
@blueprint.alt_response(409, "CONFLICT")
@blueprint.response(200, KiboJob)
def perform_action(code: str) -> Response:
    """Perform Batch Action: start, cancel, or reset

    A job with a `scheduledDate` that is started is Pending until then. `reset` is for jobs that
    are Completed or Canceled, and empties them.
    """
    with Sent(read_body()) as body:
        action = read_envelope(body, _ACTION)["action"]
    here, job = services(), find_job(code)
    who = caller()
    if act(here.engine, who.client_id, job.id, action, honour_schedule=True, quotas=who.quotas):
        here.dispatcher.advance(job.id)
    return answer(_shown(find_job(code)))


def _shown(job: BatchView) -> dict[str, Any]:
    return {
        "code": job.reference,
        "jobName": job.name,
        "domain": DOMAIN,
        "status": JOB[job.status],
        "scheduledDate": moment(job.scheduled_at),
        "createDate": moment(job.created_at),
    }


def _refuse_other_changes(job: BatchView, asked: dict[str, Any]) -> None:
    """Raise Malformed where anything but the name is said to be otherwise than it is."""
    shown = _shown(job)
    for name in asked.keys() - {"jobName"}:
        said = moment(asked[name]) if name.endswith("Date") else asked[name]
        if said != shown[name]:
            raise Malformed(
                f"{name}: Only the name of a job can be changed.",
                errors=[FieldError(f"/{name}", f"Must stay {shown[name]!r}, or be left out.")],
            )
