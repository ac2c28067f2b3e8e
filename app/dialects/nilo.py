"""Nilo: updates of products, prices and promotions, after its "Batch Operations API" document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import marshmallow as ma
from flask import Response, request
from flask_smorest import Blueprint

from app.batches.batch_view import BatchView
from app.batches.queries import ItemView
from app.batches.submission import Submission
from app.core.ids import new_id
from app.dialects import examples
from app.dialects.common.batches import find, items_from, whole_number
from app.dialects.common.bodies import read_items
from app.dialects.common.credentials import authorization, header, key_and_secret
from app.dialects.common.dialect import Dialect, in_header
from app.dialects.common.documents import array_of, takes
from app.dialects.common.item_fields import field_of, message_of, seconds
from app.dialects.common.references import item_id
from app.dialects.common.status_map import batch_words, item_words
from app.dialects.common.submitting import submit
from app.web.auth import caller
from app.web.batch_responses import batch_headers
from app.web.responses import answer
from handlers.shipped.catalog.handler import AvailabilitySchema, PriceSchema, PromotionSchema

NAME = "nilo"
DETAIL_PAGE = 10_000
LINK_HEADER = {
    "schema": {"type": "string"},
    "description": "The first, prev, next and last page (RFC 8288), where there is more than one.",
}

BATCH = batch_words(
    processing="OPEN SCHEDULED PENDING RUNNING PAUSED",
    completed="SUCCESS",
    partial="PARTIAL",
    failed="FAILED CANCELED",
)
ITEM = item_words(
    processing="PENDING RUNNING", completed="SUCCESS", failed="FAILED INVALID CANCELED"
)

blueprint = Blueprint(NAME, __name__, description="Nilo's Batch Operations API.")
dialect = Dialect(
    NAME,
    blueprint,
    prefixes=("/batch",),
    extract=key_and_secret(api_key=header("x-api-key"), secret=authorization(bare=True)),
    security={
        "niloApiKey": in_header("x-api-key"),
        "niloAuthorization": in_header("Authorization"),
    },
)


@dataclass(frozen=True, slots=True)
class Resource:
    """Something that can be updated. `code`: the field that names it in a detail's `endpoint`."""

    name: str
    action: str
    operation: str
    schema: type[ma.Schema]
    code: str
    example: Mapping[str, Any] | None = None


RESOURCES = (
    Resource(
        "product",
        "availability",
        "catalog.availability",
        AvailabilitySchema,
        "product",
        examples.NILO_ITEM,
    ),
    Resource("price", "update", "catalog.price", PriceSchema, "product"),
    Resource("promotion", "update", "catalog.promotion", PromotionSchema, "promotion"),
)
_BY_OPERATION = {resource.operation: resource for resource in RESOURCES}


class DetailQuery(ma.Schema):
    """A batch beyond a sensible size comes in pages; the header `Link` names the others."""

    page = whole_number(default=1, low=1, says="The page, from 1.")
    limit = whole_number(default=DETAIL_PAGE, low=1, high=DETAIL_PAGE, says="Operations a page.")


class NiloUuid(ma.Schema):
    """The batch process."""

    uuid = ma.fields.String(required=True)


class NiloDetail(ma.Schema):
    """One operation of the batch."""

    code = ma.fields.String(required=True)
    endpoint = ma.fields.String(required=True, metadata={"example": "batch/product/22222.1"})
    action = ma.fields.String(required=True, metadata={"example": "availability"})
    batchItem = ma.fields.String(required=True, metadata={"description": "Its JSON, as text."})
    status = ma.fields.String(required=True, metadata={"enum": sorted(set(ITEM.values()))})
    message = ma.fields.String(required=True)
    finishedAt = ma.fields.String(required=True, allow_none=True)
    createdAt = ma.fields.String(required=True)


class NiloDetails(NiloUuid):
    """A batch process, operation by operation."""

    detail = ma.fields.List(ma.fields.Nested(NiloDetail), required=True)


class NiloSummary(ma.Schema):
    """How far it is. `failed` counts canceled operations too."""

    total = ma.fields.Integer(required=True)
    processed = ma.fields.Integer(required=True)
    failed = ma.fields.Integer(required=True)
    completed = ma.fields.Integer(required=True)


class NiloStatus(NiloUuid):
    """A batch process as a whole."""

    status = ma.fields.String(
        required=True, validate=ma.validate.OneOf(sorted(set(BATCH.values())))
    )
    createdAt = ma.fields.String(required=True)
    finishedAt = ma.fields.String(required=True, allow_none=True)
    summary = ma.fields.Nested(NiloSummary, required=True)


def _offer(resource: Resource) -> None:
    """The path that takes updates of this resource."""

    @blueprint.route(
        f"/batch/{resource.name}/{resource.action}",
        methods=["POST"],
        endpoint=f"{resource.name}_{resource.action}",
    )
    @dialect.require("batches.write")
    @blueprint.doc(
        summary=f"Submit {resource.name} {resource.action}s as one batch",
        **takes(array_of(resource.schema), [resource.example] if resource.example else None),
    )
    @blueprint.response(202, NiloUuid, description="Accepted; it runs in the background.")
    def take() -> Response:
        batch_id = new_id()
        submission = Submission(
            id=batch_id,
            client_id=caller().client_id,
            operation=resource.operation,
            dialect=NAME,
            reference=str(batch_id),
            own_operations=False,
        )
        return submit(submission, read_items, lambda: answer({"uuid": str(batch_id)}, 202))


for _resource in RESOURCES:
    _offer(_resource)


@blueprint.route("/batch/<uuid>/detail")
@dialect.require("supplier/batch.read")
@blueprint.arguments(DetailQuery, location="query")
@blueprint.response(200, NiloDetails, example=examples.NILO_DETAIL, headers={"Link": LINK_HEADER})
def detail(query: dict[str, int], uuid: str) -> Response:
    """Get Batch Process Details: every operation of the batch."""
    page, limit = query["page"], query["limit"]
    batch = find(NAME, uuid)
    items = items_from(batch, (page - 1) * limit, limit)
    resource = _BY_OPERATION[str(batch.operation)]
    return answer(
        {"uuid": batch.reference, "detail": [_detail(batch, item, resource) for item in items]},
        headers=_links(page, limit, batch.summary.total),
    )


@blueprint.route("/batch/<uuid>/status")
@dialect.require("supplier/bulk.read")
@blueprint.response(200, NiloStatus, example=examples.NILO_STATUS)
def status(uuid: str) -> Response:
    """Get Batch Process Status: a summary."""
    batch = find(NAME, uuid)
    summary = batch.summary
    return answer(
        {
            "uuid": batch.reference,
            "status": BATCH[batch.status],
            "createdAt": seconds(batch.created_at),
            "finishedAt": seconds(batch.finished_at),
            "summary": {
                "total": summary.total,
                "processed": summary.ended,
                "failed": summary.ended - summary.completed,
                "completed": summary.completed,
            },
        },
        headers=batch_headers(batch),
    )


def _detail(batch: BatchView, item: ItemView, resource: Resource) -> dict[str, Any]:
    what = resource.name.capitalize()
    code = field_of(item, resource.code)
    return {
        "code": item_id(batch.id, item.index),
        "endpoint": f"batch/{resource.name}" + (f"/{code}" if code else ""),
        "action": resource.action,
        "batchItem": item.input,
        "status": ITEM[item.status],
        "message": message_of(
            item,
            success=f"{what} processed successfully",
            waiting=f"{what} is waiting to be processed",
        ),
        "finishedAt": seconds(item.finished_at),
        "createdAt": seconds(item.created_at),
    }


def _links(page: int, limit: int, total: int) -> dict[str, str]:
    """The header that names the other pages, where there is more than one."""
    last = max(1, -(-total // limit))
    if last == 1 and page == 1:
        return {}
    pages = {"first": 1, "prev": page - 1, "next": page + 1, "last": last}
    links = [
        f'<{request.base_url}?page={number}&limit={limit}>; rel="{name}"'
        for name, number in pages.items()
        if 1 <= number <= last
    ]
    return {"Link": ", ".join(links)}
