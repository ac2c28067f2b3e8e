"""The items of a job, by what became of them and by what they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from flask import Response
from sqlalchemy import Connection

from app.batches.batch_view import BatchView
from app.db import read
from app.dialects.common.references import item_id
from app.dialects.kibo.dialect import RESOURCES, blueprint, dialect, find_job
from app.dialects.kibo.schemas import KiboItems, KiboItemsQuery
from app.dialects.kibo.statements import count_items, page_items
from app.web.responses import answer
from app.web.services import services
from handlers.jsonbounds import shown

_RESOURCE_OF = {
    operation: name for name, operations in RESOURCES.items() for operation in operations
}


@dataclass(frozen=True, slots=True)
class _Entry:
    """An item of a job, as it is read."""

    index: int
    operation: str | None
    word: str
    message: str | None
    input: str


@blueprint.route("/platform/data/batchJob/items/<code>", strict_slashes=False)
@dialect.require("batches.read")
@blueprint.arguments(KiboItemsQuery, location="query")
@blueprint.response(200, KiboItems)
def get_items(query: dict[str, Any], code: str) -> Response:
    """Get Batch Job Items: all of them, or those of a processing status or a resource type."""
    job = find_job(code)
    items, total = _page(job, query)
    return answer(
        {
            "items": [_shown(job, item) for item in items],
            "startIndex": query["startIndex"],
            "pageSize": query["pageSize"],
            "totalCount": total,
        }
    )


def _page(job: BatchView, query: dict[str, Any]) -> tuple[list[_Entry], int]:
    """The items of the page, and how many there are like these."""
    given: dict[str, Any] = {}
    if "processingStatus" in query:
        given["word"] = query["processingStatus"]
    if "resourceType" in query:
        given["operations"] = list(RESOURCES[query["resourceType"]])
    filters, values = frozenset(given), {"batch_id": job.id, **given}

    def page(connection: Connection) -> tuple[list[_Entry], int]:
        rows = connection.execute(
            page_items(filters),
            {**values, "start": query["startIndex"], "size": query["pageSize"]},
        ).all()
        total = job.summary.total
        if given:
            total = connection.execute(count_items(filters), values).scalar_one()
        return [_Entry(*row) for row in rows], total

    return read(services().engine, page)


def _shown(job: BatchView, item: _Entry) -> dict[str, Any]:
    return {
        "id": item_id(job.id, item.index),
        "resourceType": None if item.operation is None else _RESOURCE_OF.get(item.operation),
        "processingStatus": item.word,
        "message": item.message,
        "data": msgspec.Raw(shown(item.input).encode()),
    }
