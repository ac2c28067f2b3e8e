"""The items of a job, by what became of them and by what they are."""

from __future__ import annotations

from typing import Any

from flask import Response
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text

from app.batches.batch_view import BatchView
from app.batches.serializers import raw
from app.core.lifecycle import FAILED, RUNNING
from app.db import transaction
from app.db.statements.held_items import held_items
from app.dialects.common.references import item_id
from app.dialects.kibo.dialect import ITEM, RESOURCES, blueprint, dialect, find_job
from app.dialects.kibo.schemas import KiboItems, KiboItemsQuery
from app.web.responses import answer
from app.web.services import services

_RESOURCE_OF = {
    operation: name for name, operations in RESOURCES.items() for operation in operations
}
_WORD = f"""
    CASE WHEN h.index IS NOT NULL THEN '{ITEM[RUNNING]}'
         WHEN i.status = '{FAILED}' AND i.code = 404 THEN 'ValidationFailed'
         {" ".join(f"WHEN i.status = '{status}' THEN '{word}'" for status, word in ITEM.items())}
    END
"""
_SHOWN = f"""
    WITH held AS MATERIALIZED ({held_items(":batch_id")}),
    shown AS (
        SELECT i.index, i.operation, {_WORD} AS word, i.message, i.input
        FROM items i LEFT JOIN held h ON h.index = i.index WHERE i.batch_id = :batch_id
    )
"""
_FILTERS = {"word": "word = :word", "operations": "operation = ANY(:operations)"}


@blueprint.route("/platform/data/batchJob/items/<code>", strict_slashes=False)
@dialect.require("batches.read")
@blueprint.arguments(KiboItemsQuery, location="query")
@blueprint.response(200, KiboItems)
def get_items(query: dict[str, Any], code: str) -> Response:
    """Get Batch Job Items: all of them, or those of a processing status or a resource type."""
    job = find_job(code)
    rows, total = _page(job, query)
    return answer(
        {
            "items": [_shown(job, row) for row in rows],
            "startIndex": query["startIndex"],
            "pageSize": query["pageSize"],
            "totalCount": total,
        }
    )


def _page(job: BatchView, query: dict[str, Any]) -> tuple[list[Any], int]:
    """The rows of the page, and how many items there are like these."""
    given: dict[str, Any] = {}
    if "processingStatus" in query:
        given["word"] = query["processingStatus"]
    if "resourceType" in query:
        given["operations"] = list(RESOURCES[query["resourceType"]])
    start, size = query["startIndex"], query["pageSize"]
    # Items are numbered without gaps: only what is picked out of them has to be counted off.
    conditions = [_FILTERS[name] for name in given] or ["index >= :start"]
    where = f"{_SHOWN} {{}} FROM shown WHERE {' AND '.join(conditions)}"
    skip = "OFFSET :start" if given else ""
    page = where.format("SELECT index, operation, word, message, input::text AS input")
    values = {"batch_id": job.id, **given}
    with transaction(services().engine) as connection:
        rows = connection.execute(
            _statement(f"{page} ORDER BY index LIMIT :size {skip}", given),
            {**values, "start": start, "size": size},
        ).all()
        total = job.summary.total
        if given:
            count = _statement(where.format("SELECT count(*)"), given)
            total = connection.execute(count, values).scalar_one()
    return list(rows), total


def _statement(sql: str, given: dict[str, Any]) -> Any:
    statement = text(sql)
    if "operations" in given:
        return statement.bindparams(bindparam("operations", type_=ARRAY(Text)))
    return statement


def _shown(job: BatchView, row: Any) -> dict[str, Any]:
    return {
        "id": item_id(job.id, row.index),
        "resourceType": _RESOURCE_OF.get(row.operation),
        "processingStatus": row.word,
        "message": row.message,
        "data": raw(row.input),
    }
