"""Quartile's calls: a masterlist is taken, and given back with how each item ended."""

from __future__ import annotations

from functools import partial

import msgspec
from flask import Response

from app.batches.batch_view import BatchView
from app.batches.item_view import ItemView
from app.core.lifecycle import SUCCESS
from app.dialects.common.batches import find
from app.dialects.common.bodies import read_items
from app.dialects.common.documents import array_of, takes
from app.dialects.common.item_fields import members_of, message_of, result_of
from app.dialects.common.lists import list_answer, pages_from
from app.dialects.common.references import item_id, object_id
from app.dialects.common.submitting import submit
from app.dialects.quartile.dialect import BATCH, MOST_ITEMS, NAME, blueprint, dialect
from app.dialects.quartile.examples import EXAMPLES
from app.dialects.quartile.schemas import QuartileBatchId, QuartileProcessing, QuartileResults
from app.web.batch_responses import batch_headers
from app.web.responses import answer, encode
from app.web.submissions import submission_by_caller
from handlers.shipped.catalog.handler import MasterlistSchema

OPERATION = "catalog.masterlist"


@blueprint.route("/amazon/v2/process/masterlist", methods=["PATCH"])
@dialect.require("batches.write")
@blueprint.doc(
    operationId="quartileProcessMasterlist",
    **takes(array_of(MasterlistSchema, most=MOST_ITEMS), [EXAMPLES["item"]]),
)
@blueprint.response(200, QuartileBatchId, example=EXAMPLES["batch"])
def process_masterlist() -> Response:
    """Submit up to 100 masterlist resources as one batch."""
    reference = object_id()
    submission = submission_by_caller(
        operation=OPERATION,
        dialect=NAME,
        reference=reference,
        own_operations=False,
    )
    read = partial(read_items, most=MOST_ITEMS)
    return submit(submission, read, lambda: answer({"batchId": reference}))


@blueprint.route("/amazon/v2/batch/<batchId>")
@dialect.require("batches.read")
@blueprint.doc(operationId="quartileGetBatch")
@blueprint.response(
    200,
    QuartileResults,
    description="SUCCESS: every item has been processed.",
    example=EXAMPLES["results"],
)
@blueprint.alt_response(
    206,
    schema={"oneOf": [QuartileResults, QuartileProcessing]},
    success=True,
    example=EXAMPLES["processing"],
    description="PENDING or RUNNING, without the list; PARTIAL or FAILED, with it.",
)
def batch(batchId: str) -> Response:
    """Get the status of a batch, and its items once it has been processed."""
    found = find(NAME, batchId)
    status = BATCH[found.status]
    if not found.ended:
        return answer({"detail": "processing", "status": status}, 206, batch_headers(found))
    return list_answer(
        {"batchId": found.reference, "status": status},
        ("data",),
        pages_from(found, 0, found.summary.total),
        lambda item: msgspec.Raw(_result(found, item)),
        status=200 if found.status == SUCCESS else 206,
    )


def _result(batch: BatchView, item: ItemView) -> bytes:
    """The item to the letter as it was sent, between its id and its status."""
    success = item.status == SUCCESS
    status = {
        "success": success,
        "message": message_of(item, success="successfully", waiting="processing"),
        "process": result_of(item).get("process") if success else None,
    }
    parts = [
        b'"id":' + encode(item_id(batch.id, item.index)),
        _own_members(item).encode(),
        b'"status":' + encode(status),
    ]
    return b"{" + b",".join(part for part in parts if part) + b"}"


def _own_members(item: ItemView) -> str:
    """What stands between the braces of the item, without members that have our names."""
    text, members = item.input, members_of(item)
    if members.keys().isdisjoint(("id", "status")):
        return text[1:-1] if members else ""
    own = {name: value for name, value in members.items() if name not in ("id", "status")}
    return encode(own).decode()[1:-1]
