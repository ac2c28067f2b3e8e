"""Fluent Commerce: categories in batches of a job, after its "Category Batch API" document."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import marshmallow as ma
from flask import Response
from flask_smorest import Blueprint
from sqlalchemy import Connection, insert, select

from app.batches.batch_view import BatchView
from app.batches.queries import ItemView
from app.batches.submission import MAX_NAME_LENGTH, Submission, write
from app.core.errors import NotFound
from app.core.ids import new_id
from app.core.jsontext import moment
from app.core.lifecycle import FAILED, SUCCESS
from app.db import transaction
from app.db.models import FLUENT_BATCH_IDS, FluentBatch, FluentJob
from app.dialects import examples
from app.dialects.common.batches import find, items_from, whole_number
from app.dialects.common.bodies import Entries, read_envelope
from app.dialects.common.dialect import Dialect
from app.dialects.common.documents import takes
from app.dialects.common.errors import bad_request
from app.dialects.common.item_fields import field_of, message_of, result_of
from app.dialects.common.status_map import batch_words
from app.dialects.common.submitting import carry_out
from app.web.auth import caller
from app.web.batch_responses import batch_headers
from app.web.problems import ProblemDetails
from app.web.responses import answer
from app.web.services import services
from handlers.fields import Text
from handlers.shipped.category.handler import CategorySchema

NAME = "fluent"
OPERATION = "catalog.category"
ENTITY_TYPE = "CATEGORY"
COUNT, MOST_COUNT = 100, 5000
_LARGEST_ID = 2**63 - 1

BATCH = batch_words(
    PENDING="OPEN SCHEDULED PENDING",
    RUNNING="RUNNING PAUSED",
    COMPLETE="SUCCESS PARTIAL FAILED CANCELED",
)
# The document's words for the codes it has.
_ERRORS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    500: "Status 500 Error",
}


def render(problem: ProblemDetails) -> Response:
    """The document's shape of an error: its word for the code, and what is wrong."""
    problem = bad_request(problem)
    word = _ERRORS.get(problem.status) or HTTPStatus(problem.status).phrase
    message = word if problem.status in (401, 500) else f"{word}: {problem.detail}"
    body = {"error": [{"message": message, "code": str(problem.status)}]}
    return answer(body, problem.status, problem.headers)


blueprint = Blueprint(NAME, __name__, description="Fluent Commerce's Category Batch API.")
dialect = Dialect(NAME, blueprint, prefixes=("/api/v4.1",), renderer=render)


class FluentNewJob(ma.Schema):
    """A job to be made."""

    class Meta:
        unknown = ma.RAISE

    name = Text(required=True, longest=MAX_NAME_LENGTH)


class FluentBatchRequest(ma.Schema):
    """Categories to insert or update."""

    class Meta:
        unknown = ma.RAISE

    action = ma.fields.String(required=True, validate=ma.validate.OneOf(["UPSERT"]))
    entityType = ma.fields.String(required=True, validate=ma.validate.OneOf([ENTITY_TYPE]))
    entities = Entries(ma.fields.Nested(CategorySchema), required=True, metadata={"minItems": 1})


class ResultsQuery(ma.Schema):
    """Which of the results."""

    start = whole_number(default=1, low=1, says="The first, from 1.")
    count = whole_number(default=COUNT, low=1, high=MOST_COUNT, says="The most of them.")


class FluentId(ma.Schema):
    """A number, as text."""

    id = ma.fields.String(required=True, metadata={"example": "427323"})


class FluentRecordStatus(ma.Schema):
    """How an entity ended. `entityId` is there only where it succeeded."""

    responseCode = ma.fields.Integer(required=True, metadata={"enum": [200, 404, 500]})
    entityId = ma.fields.String()
    entityRef = ma.fields.String(required=True, allow_none=True)
    message = ma.fields.String(required=True)


class FluentBatchResponse(ma.Schema):
    """A batch, and how those of its entities ended that `start` and `count` ask for."""

    batchId = ma.fields.String(required=True)
    entityType = ma.fields.String(required=True, metadata={"enum": [ENTITY_TYPE]})
    status = ma.fields.String(required=True, metadata={"enum": sorted(set(BATCH.values()))})
    start = ma.fields.Integer(required=True)
    count = ma.fields.Integer(required=True)
    total = ma.fields.Integer(required=True)
    results = ma.fields.List(ma.fields.Nested(FluentRecordStatus), required=True)
    createdOn = ma.fields.String(required=True)


class FluentError(ma.Schema):
    """One thing that is wrong."""

    message = ma.fields.String(required=True)
    code = ma.fields.String(required=True, metadata={"example": "404"})


class FluentErrors(ma.Schema):
    """Every error of this API."""

    error = ma.fields.List(ma.fields.Nested(FluentError), required=True)


_NEW_JOB = FluentNewJob()
_BATCH_REQUEST = FluentBatchRequest()
_DOCUMENTED = {
    "responses": {
        "default": {
            "description": "An error.",
            "content": {"application/json": {"schema": FluentErrors}},
        }
    }
}


@blueprint.route("/api/v4.1/job", methods=["POST"])
@dialect.require("batches.write")
@blueprint.doc(**takes(FluentNewJob, {"name": "categories"}), **_DOCUMENTED)
@blueprint.response(200, FluentId, example=examples.FLUENT_ID)
def create_job() -> Response:
    """Make a job, under which batches are sent."""

    def store(connection: Connection, asked: dict[str, Any]) -> Response:
        job_id = connection.execute(
            insert(FluentJob)
            .values(client_id=caller().client_id, name=asked["name"])
            .returning(FluentJob.id)
        ).scalar_one()
        return answer({"id": str(job_id)})

    return carry_out(lambda body: read_envelope(body, _NEW_JOB), store)


@blueprint.route("/api/v4.1/job/<jobid>/batch", methods=["POST"])
@dialect.require("batches.write")
@blueprint.doc(**takes(FluentBatchRequest, examples.FLUENT_REQUEST), **_DOCUMENTED)
@blueprint.response(200, FluentId, example=examples.FLUENT_ID)
def create_batch(jobid: str) -> Response:
    """Create a new batch of categories."""
    batch_id = new_id()

    def store(connection: Connection, asked: dict[str, Any]) -> Response:
        job = _job(connection, jobid)
        number = connection.execute(FLUENT_BATCH_IDS.next_value().select()).scalar_one()
        submission = Submission(
            id=batch_id,
            client_id=caller().client_id,
            name=job.name,
            operation=OPERATION,
            dialect=NAME,
            reference=str(number),
            own_operations=False,
        )
        write(connection, services().registry, submission, asked["entities"])
        connection.execute(insert(FluentBatch).values(batch_id=batch_id, job_id=job.id))
        return answer({"id": str(number)})

    return carry_out(lambda body: read_envelope(body, _BATCH_REQUEST), store, begins=batch_id)


@blueprint.route("/api/v4.1/job/<jobid>/batch/<batchId>")
@dialect.require("batches.read")
@blueprint.arguments(ResultsQuery, location="query")
@blueprint.doc(**_DOCUMENTED)
@blueprint.response(200, FluentBatchResponse, example=examples.FLUENT_BATCH)
def get_batch(query: dict[str, int], jobid: str, batchId: str) -> Response:
    """View a batch, and how its entities ended."""
    start, count = query["start"], query["count"]
    batch = _batch(jobid, batchId)
    items = items_from(batch, start - 1, count)
    return answer(
        {
            "batchId": batch.reference,
            "entityType": ENTITY_TYPE,
            "status": BATCH[batch.status],
            "start": start,
            "count": count,
            "total": batch.summary.total,
            "results": [_record_status(item) for item in items if item.finished_at is not None],
            "createdOn": moment(batch.created_at),
        },
        headers=batch_headers(batch),
    )


def _job(connection: Connection, jobid: str) -> Any:
    """The caller's job. Raises NotFound: unknown, malformed, or another client's."""
    found = connection.execute(
        select(FluentJob.id, FluentJob.name).where(
            FluentJob.id == _number(jobid), FluentJob.client_id == caller().client_id
        )
    ).one_or_none()
    if found is None:
        raise NotFound(f"There is no job {jobid!r}.")
    return found


def _batch(jobid: str, reference: str) -> BatchView:
    """The caller's batch, if it belongs to that job. Raises NotFound."""
    batch = find(NAME, reference)
    with transaction(services().engine) as connection:
        job_id = connection.execute(
            select(FluentBatch.job_id).where(FluentBatch.batch_id == batch.id)
        ).scalar_one_or_none()
    if str(job_id) != jobid:
        raise NotFound(f"There is no batch {reference!r} in job {jobid!r}.")
    return batch


def _number(text: str) -> int:
    """The id that a path names. Raises NotFound for what cannot be one."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 19 and not text.startswith("0")):
        raise NotFound(f"There is no job {text!r}.")
    return min(int(text), _LARGEST_ID)


def _record_status(item: ItemView) -> dict[str, Any]:
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
