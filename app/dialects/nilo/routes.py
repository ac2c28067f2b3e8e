"""Nilo's calls: updates are taken, and what became of them is told."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from flask import Response, request

from app.batches.batch_view import BatchView
from app.batches.item_view import ItemView
from app.core.ids import new_id
from app.dialects.common.batches import find
from app.dialects.common.bodies import read_items
from app.dialects.common.documents import array_of, takes
from app.dialects.common.item_fields import field_of, message_of, seconds
from app.dialects.common.lists import list_answer, pages_from
from app.dialects.common.references import item_id
from app.dialects.common.submitting import submit
from app.dialects.nilo.dialect import BATCH, ITEM, NAME, blueprint, dialect
from app.dialects.nilo.examples import EXAMPLES
from app.dialects.nilo.resources import RESOURCES, Resource
from app.dialects.nilo.schemas import DetailQuery, NiloDetails, NiloStatus, NiloUuid
from app.web.batch_responses import batch_headers
from app.web.own_url import own_url
from app.web.responses import answer
from app.web.submissions import submission_by_caller

LINK_HEADER = {
    "schema": {"type": "string"},
    "description": "The first, prev, next and last page (RFC 8288), where there is more than one.",
}
_BY_OPERATION = {resource.operation: resource for resource in RESOURCES}


def _offer(resource: Resource) -> None:
    """The path that takes updates of this resource."""

    @blueprint.route(
        f"/batch/{resource.name}/{resource.action}",
        methods=["POST"],
        endpoint=f"{resource.name}_{resource.action}",
    )
    @dialect.require("batches.write")
    @blueprint.doc(
        operationId=f"niloSubmit{resource.name.capitalize()}{resource.action.capitalize()}",
        summary=f"Submit {resource.name} {resource.action}s as one batch",
        **takes(array_of(resource.schema), [resource.example]),
    )
    @blueprint.response(202, NiloUuid, description="Accepted; it runs in the background.")
    def take() -> Response:
        batch_id = new_id()
        submission = submission_by_caller(
            id=batch_id,
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
@blueprint.doc(operationId="niloGetDetail")
@blueprint.arguments(DetailQuery, location="query")
@blueprint.response(200, NiloDetails, example=EXAMPLES["detail"], headers={"Link": LINK_HEADER})
def detail(query: dict[str, int], uuid: str) -> Response:
    """Get Batch Process Details: every operation of the batch."""
    page, limit = query["page"], query["limit"]
    batch = find(NAME, uuid)
    resource = _BY_OPERATION[str(batch.operation)]
    return list_answer(
        {"uuid": batch.reference},
        ("detail",),
        pages_from(batch, (page - 1) * limit, limit),
        lambda item: _detail(batch, item, resource),
        headers=_links(page, limit, batch.summary.total),
    )


@blueprint.route("/batch/<uuid>/status")
@dialect.require("supplier/bulk.read")
@blueprint.doc(operationId="niloGetStatus")
@blueprint.response(200, NiloStatus, example=EXAMPLES["status"])
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
    """The header that names the other pages, where there is more than one.

    By the host that the request came by if that can be believed, otherwise relative to this page.
    """
    last = max(1, -(-total // limit))
    if last == 1 and page == 1:
        return {}
    pages = {"first": 1, "prev": page - 1, "next": page + 1, "last": last}
    here = own_url(request) + quote(request.root_path + request.path)
    links = [
        f'<{here}?page={number}&limit={limit}>; rel="{name}"'
        for name, number in pages.items()
        if 1 <= number <= last
    ]
    return {"Link": ", ".join(links)}
