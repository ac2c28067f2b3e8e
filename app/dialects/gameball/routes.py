"""Gameball's calls: a batch is started, looked at and stopped."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response
from sqlalchemy import Connection

from app.batches.actions import act
from app.batches.batch_view import BatchView
from app.batches.item_view import ItemView
from app.batches.submission import Submission, write
from app.core.ids import new_id
from app.core.lifecycle import SUCCESS
from app.dialects.common.batches import find
from app.dialects.common.bodies import read_envelope
from app.dialects.common.documents import takes
from app.dialects.common.item_fields import field_of, message_of, result_of, seconds
from app.dialects.common.lists import list_answer, pages_from
from app.dialects.common.submitting import carry_out
from app.dialects.gameball.dialect import BATCH, NAME, blueprint, dialect
from app.dialects.gameball.examples import EXAMPLES
from app.dialects.gameball.schemas import GameballBatch, GameballBatchId, GameballStart
from app.web.auth import caller
from app.web.batch_responses import batch_headers
from app.web.responses import answer
from app.web.services import services
from app.web.submissions import submission_by_caller

_PREFIX = "loyalty."
_START = GameballStart()


@blueprint.route("/integrations/batch", methods=["POST"])
@dialect.require("batches.write")
@blueprint.doc(operationId="gameballStartBatch", **takes(GameballStart, EXAMPLES["start"]))
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
@blueprint.doc(operationId="gameballGetBatch")
@blueprint.response(200, GameballBatch, example=EXAMPLES["batch"])
def get_batch(batchId: str) -> Response:
    """Get the status of a batch, and once it has ended the outcome of every entry."""
    batch = find(NAME, batchId)
    return _shown(batch)


@blueprint.route("/integrations/batch/<batchId>", methods=["DELETE"])
@dialect.require("batches.write")
@blueprint.doc(operationId="gameballStopBatch")
@blueprint.alt_response(409, "CONFLICT")
@blueprint.response(200, GameballBatch, example=EXAMPLES["batch"])
def stop_batch(batchId: str) -> Response:
    """Halt a batch: what has not begun is canceled. 409 once it has ended."""
    here, batch = services(), find(NAME, batchId)
    if act(here.engine, caller().client_id, batch.id, "cancel"):
        here.dispatcher.advance(batch.id)
    return _shown(find(NAME, batchId))


def _submission(batch_id: UUID, asked: dict[str, Any]) -> Submission:
    said = {"method": asked["method"], "params": asked.get("params")}
    return submission_by_caller(
        id=batch_id,
        operation=_PREFIX + asked["operation"],
        metadata={name: value for name, value in said.items() if value is not None},
        dialect=NAME,
        reference=str(batch_id),
        own_operations=False,
    )


def _shown(batch: BatchView) -> Response:
    summary = batch.summary
    shown = {
        "operation": str(batch.operation).removeprefix(_PREFIX),
        "errorCount": summary.failed + summary.invalid,
        "totalCount": summary.total,
        "finishedCount": summary.processed,
        "startedAt": seconds(batch.started_at),
        "createdAt": seconds(batch.created_at),
        "status": BATCH[batch.status],
    }
    if not batch.ended:
        return answer({**shown, "response": None}, headers=batch_headers(batch))
    pages = pages_from(batch, 0, summary.total)
    return list_answer(shown, ("response", "results"), pages, _result)


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
