"""Fluent's calls: a job is made, batches are sent under it and looked at."""

from __future__ import annotations

from typing import Any

from flask import Response
from sqlalchemy import Connection

from app.batches.item_view import ItemView
from app.batches.submission import write
from app.core.ids import new_id
from app.core.jsontext import moment
from app.core.lifecycle import FAILED, SUCCESS
from app.dialects.common.bodies import read_envelope
from app.dialects.common.documents import takes
from app.dialects.common.item_fields import field_of, message_of, result_of
from app.dialects.common.lists import list_answer, pages_from
from app.dialects.common.submitting import carry_out
from app.dialects.fluent.dialect import BATCH, NAME, blueprint, dialect
from app.dialects.fluent.examples import EXAMPLES
from app.dialects.fluent.jobs import find_batch, find_job, make_job, put_batch_under, take_number
from app.dialects.fluent.schemas import (
    ENTITY_TYPE,
    FluentBatchRequest,
    FluentBatchResponse,
    FluentId,
    FluentNewJob,
    ResultsQuery,
)
from app.web.batch_responses import batch_headers
from app.web.responses import answer
from app.web.services import services
from app.web.submissions import submission_by_caller

OPERATION = "catalog.category"

_NEW_JOB = FluentNewJob()
_BATCH_REQUEST = FluentBatchRequest()


@blueprint.route("/api/v4.1/job", methods=["POST"])
@dialect.require("batches.write")
@blueprint.doc(operationId="fluentCreateJob", **takes(FluentNewJob, {"name": "categories"}))
@blueprint.response(200, FluentId, example=EXAMPLES["id"])
def create_job() -> Response:
    """Make a job, under which batches are sent."""

    def store(connection: Connection, asked: dict[str, Any]) -> Response:
        return answer({"id": str(make_job(connection, asked["name"]))})

    return carry_out(lambda body: read_envelope(body, _NEW_JOB), store)


@blueprint.route("/api/v4.1/job/<jobid>/batch", methods=["POST"])
@dialect.require("batches.write")
@blueprint.doc(operationId="fluentCreateBatch", **takes(FluentBatchRequest, EXAMPLES["request"]))
@blueprint.response(200, FluentId, example=EXAMPLES["id"])
def create_batch(jobid: str) -> Response:
    """Create a new batch of categories."""
    batch_id = new_id()

    def store(connection: Connection, asked: dict[str, Any]) -> Response:
        job = find_job(connection, jobid)
        number = take_number(connection)
        submission = submission_by_caller(
            id=batch_id,
            name=job.name,
            operation=OPERATION,
            dialect=NAME,
            reference=number,
            own_operations=False,
        )
        write(connection, services().registry, submission, asked["entities"])
        put_batch_under(connection, job, batch_id)
        return answer({"id": number})

    return carry_out(lambda body: read_envelope(body, _BATCH_REQUEST), store, begins=batch_id)


@blueprint.route("/api/v4.1/job/<jobid>/batch/<batchId>")
@dialect.require("batches.read")
@blueprint.arguments(ResultsQuery, location="query")
@blueprint.doc(operationId="fluentGetBatch")
@blueprint.response(200, FluentBatchResponse, example=EXAMPLES["batch"])
def get_batch(query: dict[str, int], jobid: str, batchId: str) -> Response:
    """View a batch, and how its entities ended."""
    start, count = query["start"], query["count"]
    batch = find_batch(jobid, batchId)
    return list_answer(
        {
            "batchId": batch.reference,
            "entityType": ENTITY_TYPE,
            "status": BATCH[batch.status],
            "start": start,
            "count": count,
            "total": batch.summary.total,
        },
        ("results",),
        pages_from(batch, start - 1, count),
        _record_status,
        {"createdOn": moment(batch.created_at)},
        headers=batch_headers(batch),
    )


def _record_status(item: ItemView) -> dict[str, Any] | None:
    """How the item ended; None while it has not."""
    if item.finished_at is None:
        return None
    reference = field_of(item, "categoryRef")
    if item.status == SUCCESS:
        return {
            "responseCode": 200,
            "entityId": result_of(item).get("entityId"),
            "entityRef": reference,
            "message": message_of(item, success="Category update successfully", waiting=""),
        }
    missing = item.status == FAILED and item.code == 404
    return {
        "responseCode": 404 if missing else 500,
        "entityRef": reference,
        "message": message_of(item, success="", waiting=""),
    }
