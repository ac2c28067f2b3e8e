"""The items of a job, by what became of them and by what they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from flask import Response
from sqlalchemy import Connection, Engine, TextClause

from app.batches.batch_view import BatchView
from app.db import read
from app.dialects.common.lists import list_answer
from app.dialects.common.references import item_id
from app.dialects.kibo.dialect import RESOURCES, blueprint, dialect, find_job
from app.dialects.kibo.schemas import KiboItems, KiboItemsQuery
from app.dialects.kibo.statements import count_items, page_items
from app.web.services import services
from handlers.jsonbounds import shown

_FIRST_PAGE = 100
_MOST_BYTES = 2 * 1024 * 1024
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
@blueprint.doc(operationId="kiboGetItems")
@blueprint.arguments(KiboItemsQuery, location="query")
@blueprint.response(200, KiboItems)
def get_items(query: dict[str, Any], code: str) -> Response:
    """Get Batch Job Items: all of them, or those of a processing status or a resource type."""
    job = find_job(code)
    start, size = query["startIndex"], query["pageSize"]
    given: dict[str, Any] = {}
    if "processingStatus" in query:
        given["word"] = query["processingStatus"]
    if "resourceType" in query:
        given["operations"] = list(RESOURCES[query["resourceType"]])
    return list_answer(
        {},
        ("items",),
        _pages(services().engine, job, given, start, size),
        lambda item: _shown(job, item),
        {"startIndex": start, "pageSize": size, "totalCount": _count(job, given)},
    )


def _count(job: BatchView, given: dict[str, Any]) -> int:
    """How many items there are like these."""
    if not given:
        return job.summary.total
    statement, values = count_items(frozenset(given)), {"batch_id": job.id, **given}
    return read(
        services().engine,
        lambda connection: int(connection.execute(statement, values).scalar_one()),
    )


def _pages(
    engine: Engine, job: BatchView, given: dict[str, Any], start: int, size: int
) -> Iterator[Sequence[_Entry]]:
    """At most `size` of the items that are as `given`, from the `start`th on, a few MiB at a time.

    As items are numbered without gaps, only filtered ones have to be counted off, and only once.
    """
    skip, after = (start, -1) if given else (0, start - 1)
    most = _FIRST_PAGE
    while size:
        values = {**given, "batch_id": job.id, "after": after, "skip": skip}
        limits = {"size": min(size, most), "most_bytes": _MOST_BYTES}
        statement = page_items(frozenset(given), counted=bool(skip))
        found = read(engine, partial(_page, statement, {**values, **limits}))
        yield found
        if not found:
            return
        size -= len(found)
        skip, after = 0, found[-1].index
        # A page that was cut by its bytes says how many are worth asking for.
        most = 2 * max(len(found), 8)


def _page(statement: TextClause, values: dict[str, Any], connection: Connection) -> list[_Entry]:
    return [_Entry(*row) for row in connection.execute(statement, values)]


def _shown(job: BatchView, item: _Entry) -> dict[str, Any]:
    return {
        "id": item_id(job.id, item.index),
        "resourceType": None if item.operation is None else _RESOURCE_OF.get(item.operation),
        "processingStatus": item.word,
        "message": item.message,
        "data": msgspec.Raw(shown(item.input).encode()),
    }
