"""/v1/batches: submit, look at one, list."""

from __future__ import annotations

import time
from operator import attrgetter
from typing import Any
from uuid import UUID

from flask import Response, request

from app.api.documents import (
    BATCH_HEADERS,
    CONTENT_ENCODING,
    FIELDS_IN_QUERY,
    IF_NONE_MATCH,
    LOCATION,
    MADE_ONCE,
    WAIT,
    submission_body,
)
from app.api.incoming import body_of, received
from app.api.queries import BatchListQuery, BatchQuery, wait_apart
from app.api.schemas import BatchPageSchema, BatchSchema
from app.batches.admission import refuse_larger
from app.batches.batch_view import BatchView
from app.batches.queries import BatchFilter, find_batch, list_batches
from app.batches.storing import StoredAfterAll, storing
from app.batches.submission import check, intake_of, line_of, write_intake
from app.clients.recent_callers import KEPT_SECONDS
from app.core.errors import BatchlineError, FieldError, Invalid
from app.core.lifecycle import PENDING
from app.db import read
from app.web.auth import caller, require
from app.web.batch_responses import batch_answer, conditional
from app.web.blueprint import Blueprint
from app.web.bodies import JSON
from app.web.envelope import fields_in_query, submission_of
from app.web.idempotency import IDEMPOTENCY_KEY, attempt
from app.web.jsonbody import fields_of
from app.web.owners import Bodies, client_of, owner_of
from app.web.paging import page_answer, page_of
from app.web.quotas import submitting, take_stream
from app.web.services import services
from app.web.sse import Line
from app.web.still_good import require_good, still_good
from app.web.watch import batch_watch, waiting_places

blueprint = Blueprint(
    "batches", __name__, url_prefix="/v1", description="Submit batches, and see how far they got."
)


# Seconds for which a wait is none yet.
_UNCOUNTED = 0.25


@blueprint.route("/batches", methods=["POST"])
@require("batches.write")
@blueprint.response(202, BatchSchema, headers={**BATCH_HEADERS, **MADE_ONCE, **LOCATION})
@blueprint.doc(
    operationId="submitBatch",
    parameters=[IDEMPOTENCY_KEY, CONTENT_ENCODING, WAIT, FIELDS_IN_QUERY],
    requestBody=submission_body(),
)
def submit() -> Response:
    """Submit a batch

    Answered once the batch and all its items are stored. NDJSON and CSV are streamed, and take
    the other fields as query parameters, which a JSON body needs not: where both say one, they
    have to say the same. Each may be gzipped. With `wait` the answer is held until the batch has
    ended or the time has passed; an answer that is given again for its idempotency key is not.
    """
    here = services()
    wait, arguments = wait_apart(request.args)
    client_id = caller().client_id
    with submitting(request), attempt(request) as this:
        kind, body = body_of(request, here.settings, this)
        if this.remembered:
            return this.replay(body)
        in_query = fields_in_query(arguments)
        if kind != JSON:
            # Before a body that may be long, check all fields that come in the query.
            check(submission_of(in_query), here.registry)
        with received(kind, body, here.settings, this) as incoming:
            fields = _merged(in_query, fields_of(incoming.fields))
            submission = submission_of(fields)
            check(submission, here.registry)
            refuse_larger(caller().quotas, incoming.count)
            intake = intake_of(here.registry, submission, incoming.items)
            # What is one statement and no more needs no transaction around it.
            apart = intake.few and not this.claimed and not caller().quotas.any_counted
            try:
                with storing(here.engine, submission.id, apart=apart) as connection:
                    made = write_intake(connection, here.registry, submission, intake)
                    batch = made.shown or find_batch(connection, client_id, submission.id)
                    response = _accepted(batch)
                    this.keep(connection, response)
            except StoredAfterAll:
                batch = _find(client_id, submission.id)
                response = _accepted(batch)
    if submission.first_status == PENDING:
        here.dispatcher.in_line(submission.id, line_of(here.registry, submission.operation))
    return _accepted(_held(client_id, batch, wait)) if wait else response


def _held(client_id: UUID, batch: BatchView, seconds: int) -> BatchView:
    """The batch after the wait; as it was stored where there can be none: stored it is."""
    try:
        return _ended(client_id, batch.id, seconds)
    except BatchlineError:
        return batch


def _accepted(batch: BatchView) -> Response:
    response = batch_answer(batch, 202)
    response.headers["Location"] = f"/v1/batches/{batch.id}"
    return response


@blueprint.route("/batches", methods=["GET"])
@require("batches.read", or_admin=True)
@blueprint.doc(operationId="listBatches")
@blueprint.arguments(BatchListQuery, location="query")
@blueprint.response(200, BatchPageSchema)
def index(query: dict[str, Any]) -> Response:
    """List batches, newest first

    The client's own; with `admin` every client's, or those of `client`. A page may be short, or
    empty, and not the last: `next` says.
    """
    client_id = client_of(query)
    page = page_of(query, UUID, "batches")
    which = BatchFilter(
        status=query.get("status"),
        operation=query.get("operation"),
        dialect=query.get("dialect"),
        reference=query.get("reference"),
        created_after=query.get("createdAfter"),
        created_before=query.get("createdBefore"),
    )
    found, end = read(
        services().engine,
        lambda connection: list_batches(
            connection, client_id, which, before=page.position, limit=page.fetch
        ),
    )
    return page_answer(page, found, body=Bodies(found), position=attrgetter("id"), end=end)


@blueprint.route("/batches/<uuid:batch_id>", methods=["GET"])
@require("batches.read", or_admin=True)
@blueprint.arguments(BatchQuery, location="query")
@blueprint.response(200, BatchSchema, headers=BATCH_HEADERS)
@blueprint.alt_response(304, description="Nothing has changed since `If-None-Match`.", success=True)
@blueprint.doc(operationId="getBatch", parameters=[IF_NONE_MATCH])
def show(query: dict[str, Any], batch_id: UUID) -> Response:
    """Show a batch

    With `wait` the answer is held until the batch ends or the time has passed; with
    `If-None-Match` it is 304 where nothing has changed. `Retry-After` says when to ask again.
    """
    wait, client_id = query["wait"], owner_of(batch_id)
    batch = _ended(client_id, batch_id, wait) if wait else _find(client_id, batch_id)
    return conditional(batch_answer(batch))


def _ended(client_id: UUID, batch_id: UUID, seconds: float) -> BatchView:
    """The batch once it has ended, or as it is after so many seconds."""
    deadline = time.monotonic() + seconds
    is_good, line = still_good(every=KEPT_SECONDS), Line(request.environ)
    batch = None

    def wanted() -> bool:
        require_good(is_good)
        return line.state() != "gone"

    def ended() -> bool:
        nonlocal batch
        batch = _find(client_id, batch_id)
        return batch.ended

    def waited(until: float) -> bool:
        # It may have begun again since it was told that it has ended.
        while batch_watch().wait(batch_id, until - time.monotonic(), ended=ended, wanted=wanted):
            if batch is not None and batch.ended:
                return True
        return False

    # What ends at once, as small batches do, is not counted, so that it costs nothing.
    if not waited(min(deadline, time.monotonic() + _UNCOUNTED)):
        place = take_stream() if time.monotonic() < deadline else None
        try:
            with waiting_places().place(caller().client_id) as found:
                if found:
                    waited(deadline)
        finally:
            if place is not None:
                place.give_back()
        require_good(is_good)
    if batch is not None and batch.ended:
        return batch
    return _find(client_id, batch_id)


def _find(client_id: UUID, batch_id: UUID) -> BatchView:
    return read(services().engine, lambda connection: find_batch(connection, client_id, batch_id))


def _merged(in_query: dict[str, Any], in_body: dict[str, Any]) -> dict[str, Any]:
    """The fields of both. What both say they have to say alike: neither is passed over."""
    both = in_query.keys() & in_body.keys()
    apart = sorted(name for name in both if in_query[name] != in_body[name])
    if apart:
        errors = [FieldError(f"/{name}", "The query and the body differ.") for name in apart]
        raise Invalid(f"{apart[0]}: The query and the body differ.", errors=errors)
    return {**in_query, **in_body}
