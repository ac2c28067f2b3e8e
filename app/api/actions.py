"""What is done with a batch that exists: append, act, change, delete."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

import marshmallow as ma
from flask import Response, request
from sqlalchemy import Connection

from app.api.documents import (
    BATCH_HEADERS,
    CONTENT_ENCODING,
    MADE_ONCE,
    items_body,
    json_body,
)
from app.api.incoming import body_of, received
from app.api.schemas import BatchSchema
from app.batches.actions import ACTIONS, act, amend, remove
from app.batches.appending import append as append_items
from app.batches.appending import check_open
from app.batches.queries import find_batch
from app.core.errors import FieldError, Invalid, NotFound
from app.core.lifecycle import CANCELED, FAILED, INVALID
from app.db import read, transaction
from app.web.auth import caller, require
from app.web.batch_responses import batch_answer
from app.web.blueprint import Blueprint
from app.web.bodies import JSON, Body, media_type
from app.web.bounded_fields import MOST_STATUSES, Listed
from app.web.envelope import ChangesSchema, changes_of
from app.web.idempotency import IDEMPOTENCY_KEY, attempt
from app.web.item_limits import most_items
from app.web.jsonbody import SMALL, fields_of, read_object
from app.web.owners import owner_of
from app.web.preconditions import IF_MATCH, check_if_match
from app.web.problems import loaded, pointer_to
from app.web.quotas import submitting
from app.web.services import services

blueprint = Blueprint(
    "actions", __name__, url_prefix="/v1/batches/<uuid:batch_id>", description="Act on batches."
)


class RetrySchema(ma.Schema):
    """Which items `retry` runs again."""

    class Meta:
        unknown = ma.RAISE

    statuses = Listed(
        ma.fields.String(validate=ma.validate.OneOf([FAILED, INVALID, CANCELED])),
        validate=ma.validate.Length(min=1, max=MOST_STATUSES),
        metadata={"description": "FAILED unless said."},
    )


_LONG = "What takes longer goes on behind the answer: `doing` says how far it is."
# In words for the OpenAPI document: a title, and what it does.
_ACTIONS = {
    "start": (
        "Start a batch",
        "One that is OPEN or SCHEDULED, and not empty. Where it needs approval it awaits that.",
    ),
    "approve": (
        "Approve a batch",
        "One that is AWAITING runs, or waits for its time. 403 for a key that has put something "
        "into it.",
    ),
    "reject": ("Reject a batch", "One that is AWAITING ends CANCELED; nothing of it has run."),
    "pause": ("Pause a batch", "No item of it is begun any more, until it is resumed."),
    "resume": ("Resume a batch", "One that is PAUSED goes on."),
    "cancel": ("Cancel a batch", f"What has not begun ends CANCELED. {_LONG}"),
    "retry": ("Retry a batch", f"The FAILED items of one that has ended run again. {_LONG}"),
    "reset": ("Reset a batch", f"One that has ended is OPEN again, and empty. {_LONG}"),
}
_RETRY_BODY = json_body(RetrySchema, {"statuses": ["FAILED", "INVALID"]}, required=False)


@blueprint.route("/items", methods=["POST"])
@require("batches.write", or_admin=True)
@blueprint.response(200, BatchSchema, headers={**BATCH_HEADERS, **MADE_ONCE})
@blueprint.doc(
    operationId="appendItems",
    parameters=[IDEMPOTENCY_KEY, CONTENT_ENCODING],
    requestBody=items_body(),
)
def append(batch_id: UUID) -> Response:
    """Append items to an OPEN batch

    A JSON array, an object with `items`, NDJSON or CSV, each also gzipped. In as many calls as you
    like, also at once.
    """
    here = services()
    client_id = owner_of(batch_id)
    with submitting(request), attempt(request) as this:
        kind, body = body_of(request, here.settings, this)
        if this.remembered:
            return this.replay(body)
        _nothing_else(request.args)
        batch = read(here.engine, lambda connection: check_open(connection, client_id, batch_id))
        with received(kind, body, here.settings, this) as incoming:
            _nothing_else(incoming.fields)
            with transaction(here.engine) as connection:
                append_items(
                    connection,
                    here.registry,
                    client_id,
                    batch_id,
                    incoming.items,
                    count=incoming.count,
                    most=most_items(batch.dialect),
                    operations=caller().operations,
                    quotas=caller().quotas,
                )
                batch = find_batch(connection, client_id, batch_id)
                response = batch_answer(batch, connection=connection)
                this.keep(connection, response)
    return response


def _offer(action: str) -> None:
    """The path of one of the actions."""
    summary, description = _ACTIONS[action]
    body = {"requestBody": _RETRY_BODY} if action == "retry" else {}

    @blueprint.route(f"/{action}", methods=["POST"], endpoint=action)
    @require("batches.write", or_admin=True)
    @blueprint.response(202, BatchSchema, headers=BATCH_HEADERS)
    @blueprint.alt_response(409, "CONFLICT")
    @blueprint.doc(
        operationId=f"{action}Batch",
        summary=summary,
        description=f"{description} 409 names the state, where it does not allow this.",
        **body,
    )
    def take(batch_id: UUID) -> Response:
        return _do(batch_id, action)


for _action in ACTIONS:
    _offer(_action)


def _do(batch_id: UUID, action: str) -> Response:
    here = services()
    client_id = owner_of(batch_id)
    _nothing_else(request.args)
    fields = _fields()
    statuses = None
    if action == "retry":
        statuses = loaded(RetrySchema(), fields).get("statuses")
    else:
        _nothing_else(fields)
    if act(here.engine, client_id, batch_id, action, statuses, quotas=caller().quotas):
        here.dispatcher.advance(batch_id)
    return _answer(client_id, batch_id, 202)


@blueprint.route("", methods=["PATCH"])
@require("batches.write", or_admin=True)
@blueprint.response(200, BatchSchema, headers=BATCH_HEADERS)
@blueprint.alt_response(409, "CONFLICT")
@blueprint.doc(
    operationId="changeBatch",
    parameters=[IF_MATCH],
    requestBody=json_body(ChangesSchema, {"name": "another name", "metadata": {"run": 8}}),
)
def change(batch_id: UUID) -> Response:
    """Change a batch's name, metadata, or time

    The time only while it is OPEN or SCHEDULED; null makes it OPEN.
    """
    here = services()
    client_id = owner_of(batch_id)
    _nothing_else(request.args)
    media_type(request, (JSON,))
    changes = changes_of(_fields())
    unless = _unless_changed(client_id, batch_id)
    if amend(here.engine, client_id, batch_id, changes, unless=unless):
        here.dispatcher.advance(batch_id)
    return _answer(client_id, batch_id, 200)


@blueprint.route("", methods=["DELETE"])
@require("batches.write", or_admin=True)
@blueprint.response(204)
@blueprint.alt_response(
    202, schema=BatchSchema, description="It is being deleted: see `doing`.", success=True
)
@blueprint.alt_response(409, "CONFLICT")
@blueprint.doc(operationId="deleteBatch", parameters=[IF_MATCH])
def delete(batch_id: UUID) -> Response:
    """Delete an ended batch and its items

    204 once it is gone. A large one takes a while: 202, and the batch can be seen, with `doing`,
    until it is gone too.
    """
    here, client_id = services(), owner_of(batch_id)
    _nothing_else(request.args)
    if not remove(here.engine, client_id, batch_id, unless=_unless_changed(client_id, batch_id)):
        here.dispatcher.advance(batch_id)
        with suppress(NotFound):  # it may be gone by now
            return _answer(client_id, batch_id, 202)
    return Response(status=204)


def _unless_changed(client_id: UUID, batch_id: UUID) -> Callable[[Connection], None]:
    """What raises PreconditionFailed where the batch is not the one that `If-Match` names."""

    def check(connection: Connection) -> None:
        if "If-Match" in request.headers:
            shown = batch_answer(find_batch(connection, client_id, batch_id), connection=connection)
            check_if_match(request, shown.get_etag()[0])

    return check


def _fields() -> dict[str, Any]:
    """The fields of a JSON body; none where there is no body."""
    body = Body(request, SMALL).read_all()
    if not body:
        return {}
    media_type(request, (JSON,))
    return fields_of(read_object(body))


def _nothing_else(given: Any) -> None:
    """Raise Invalid if fields or parameters are given where there are none."""
    if given:
        errors = [FieldError(pointer_to(name), "Unknown field.") for name in given]
        raise Invalid(f"{next(iter(given))}: Unknown field.", errors=errors)


def _answer(client_id: UUID, batch_id: UUID, status: int) -> Response:
    batch = read(services().engine, lambda connection: find_batch(connection, client_id, batch_id))
    return batch_answer(batch, status)
