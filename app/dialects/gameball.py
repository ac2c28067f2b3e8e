"""Gameball: bulk cashback, redeem and balance inquiry, after its "Batches" document."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import marshmallow as ma
from flask import Response
from flask_smorest import Blueprint
from sqlalchemy import Connection

from app.batches.actions import act
from app.batches.batch_view import BatchView
from app.batches.queries import ItemView
from app.batches.submission import MAX_METADATA_BYTES, Submission, write
from app.core.ids import new_id
from app.core.jsontext import dumps
from app.core.lifecycle import SUCCESS
from app.dialects import examples
from app.dialects.common.batches import find, items_from
from app.dialects.common.bodies import Entries, read_envelope
from app.dialects.common.credentials import header, key_and_secret
from app.dialects.common.dialect import Dialect, in_header
from app.dialects.common.documents import takes
from app.dialects.common.item_fields import field_of, message_of, result_of, seconds
from app.dialects.common.status_map import batch_words
from app.dialects.common.submitting import carry_out
from app.web.auth import caller
from app.web.batch_responses import batch_headers
from app.web.responses import answer
from app.web.services import services

NAME = "gameball"
MOST_ENTRIES = 1000
METHODS = ("GET", "POST", "PUT", "PATCH")
OPERATIONS = ("cashback", "redeem", "balance")
_PREFIX = "loyalty."

BATCH = batch_words(
    Queued="OPEN SCHEDULED PENDING",
    Running="RUNNING PAUSED",
    Completed="SUCCESS PARTIAL FAILED",
    Stopped="CANCELED",
)

blueprint = Blueprint(NAME, __name__, description="Gameball's batches.")
dialect = Dialect(
    NAME,
    blueprint,
    prefixes=("/integrations",),
    extract=key_and_secret(api_key=header("APIKey"), secret=header("SecretKey")),
    security={
        "gameballApiKey": in_header("APIKey"),
        "gameballSecretKey": in_header("SecretKey"),
    },
)


class Params(ma.fields.Raw):
    """The document says integer, and means query parameters: both are taken, and kept."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if type(value) not in (int, dict):
            raise ma.ValidationError("Must be an integer or an object.")
        if len(dumps(value)) > MAX_METADATA_BYTES // 2:
            raise ma.ValidationError("Is too long.")
        return value


class GameballStart(ma.Schema):
    """A batch to be started."""

    class Meta:
        unknown = ma.RAISE

    method = ma.fields.String(required=True, validate=ma.validate.OneOf(METHODS))
    operation = ma.fields.String(required=True, validate=ma.validate.OneOf(OPERATIONS))
    params = Params(allow_none=True, metadata={"description": "Kept with the batch."})
    body = Entries(
        ma.fields.Dict(),
        required=True,
        most=MOST_ENTRIES,
        metadata={"minItems": 1, "maxItems": MOST_ENTRIES},
    )


class GameballBatchId(ma.Schema):
    """The id by which the batch is followed."""

    batchId = ma.fields.String(required=True)


class GameballResult(ma.Schema):
    """How an entry ended."""

    index = ma.fields.Integer(
        required=True, metadata={"description": "Its place in `body`, from 0."}
    )
    playerUniqueId = ma.fields.String(required=True, allow_none=True)
    transactionId = ma.fields.String(required=True, allow_none=True)
    success = ma.fields.Boolean(required=True)
    code = ma.fields.Integer(
        required=True, allow_none=True, metadata={"description": "As an HTTP status."}
    )
    message = ma.fields.String(required=True)
    result = ma.fields.Dict(required=True, allow_none=True)


class GameballOutcomes(ma.Schema):
    """The outcome of every entry."""

    results = ma.fields.List(ma.fields.Nested(GameballResult), required=True)


class GameballBatch(ma.Schema):
    """A batch. `response` is null until it has ended."""

    operation = ma.fields.String(required=True, metadata={"enum": list(OPERATIONS)})
    errorCount = ma.fields.Integer(required=True)
    totalCount = ma.fields.Integer(required=True)
    finishedCount = ma.fields.Integer(required=True)
    startedAt = ma.fields.String(required=True, allow_none=True)
    createdAt = ma.fields.String(required=True, metadata={"example": "2017-05-30T15:14:22Z"})
    status = ma.fields.String(required=True, metadata={"enum": sorted(set(BATCH.values()))})
    response = ma.fields.Nested(GameballOutcomes, required=True, allow_none=True)


_START = GameballStart()


@blueprint.route("/integrations/batch", methods=["POST"])
@dialect.require("batches.write")
@blueprint.doc(**takes(GameballStart, examples.GAMEBALL_START))
@blueprint.response(200, GameballBatchId)
def start_batch() -> Response:
    """Start a batch of up to 1,000 entries, all of one operation."""
    batch_id = new_id()

    def store(connection: Connection, asked: dict[str, Any]) -> Response:
        write(connection, services().registry, _submission(batch_id, asked), asked["body"])
        return answer({"batchId": str(batch_id)})

    return carry_out(lambda body: read_envelope(body, _START), store, begins=batch_id)


@blueprint.route("/integrations/batch/<batchId>")
@dialect.require("batches.read")
@blueprint.response(200, GameballBatch, example=examples.GAMEBALL_BATCH)
def get_batch(batchId: str) -> Response:
    """Get the status of a batch, and once it has ended the outcome of every entry."""
    batch = find(NAME, batchId)
    return answer(_shown(batch), headers=batch_headers(batch))


@blueprint.route("/integrations/batch/<batchId>", methods=["DELETE"])
@dialect.require("batches.write")
@blueprint.response(200, GameballBatch, example=examples.GAMEBALL_BATCH)
def stop_batch(batchId: str) -> Response:
    """Halt a batch: what has not begun is canceled. 409 once it has ended."""
    here, batch = services(), find(NAME, batchId)
    if act(here.engine, caller().client_id, batch.id, "cancel"):
        here.dispatcher.advance(batch.id)
    return answer(_shown(find(NAME, batchId)))


def _submission(batch_id: UUID, asked: dict[str, Any]) -> Submission:
    said = {"method": asked["method"], "params": asked.get("params")}
    return Submission(
        id=batch_id,
        client_id=caller().client_id,
        operation=_PREFIX + asked["operation"],
        metadata={name: value for name, value in said.items() if value is not None},
        dialect=NAME,
        reference=str(batch_id),
        own_operations=False,
    )


def _shown(batch: BatchView) -> dict[str, Any]:
    summary = batch.summary
    outcomes = None
    if batch.ended:
        outcomes = {"results": [_result(item) for item in items_from(batch, 0, summary.total)]}
    return {
        "operation": str(batch.operation).removeprefix(_PREFIX),
        "errorCount": summary.failed + summary.invalid,
        "totalCount": summary.total,
        "finishedCount": summary.processed,
        "startedAt": seconds(batch.started_at),
        "createdAt": seconds(batch.created_at),
        "status": BATCH[batch.status],
        "response": outcomes,
    }


def _result(item: ItemView) -> dict[str, Any]:
    success = item.status == SUCCESS
    return {
        "index": item.index,
        "playerUniqueId": field_of(item, "playerUniqueId"),
        "transactionId": field_of(item, "transactionId"),
        "success": success,
        "code": 200 if success else item.code,
        "message": message_of(item, success="Success", waiting="Queued"),
        "result": result_of(item) if success else None,
    }
