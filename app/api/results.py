"""/v1/batches/{id}/results: the whole batch, streamed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any
from uuid import UUID

import marshmallow as ma
from flask import Response, request

from app.api.documents import text_answer
from app.api.item_filters import ItemFilterQuery, item_filter_of
from app.batches.export import Lines, csv_header, csv_rows, ndjson, resubmission
from app.batches.item_pages import read_items
from app.web.auth import require
from app.web.blueprint import Blueprint
from app.web.bodies import CSV, NDJSON
from app.web.owners import owner_of
from app.web.services import services
from app.web.streaming import streamed

blueprint = Blueprint(
    "results", __name__, url_prefix="/v1/batches/<uuid:batch_id>", description="Take results away."
)
_LAST_INDEX = 2**31 - 1
_LINE = '{"operation": "catalog.masterlist", "data": {"asin": "B000000001"}}\n'
_ROW = "index,key,operation,status\r\n0,B000000001:US,catalog.masterlist,SUCCESS\r\n"


class ResultsQuery(ItemFilterQuery):
    """What of the batch, and how."""

    format = ma.fields.String(
        load_default="ndjson",
        validate=ma.validate.OneOf(["ndjson", "csv", "resubmit"]),
        metadata={
            "description": "`ndjson` and `csv`: the fields of the item list. `resubmit`: NDJSON "
            "that can be submitted as it is; every line names its operation."
        },
    )
    after = ma.fields.Integer(
        load_default=-1,
        validate=ma.validate.Range(min=-1, max=_LAST_INDEX),
        metadata={"description": "Begin behind this index: where an earlier download broke off."},
    )
    spreadsheet = ma.fields.Boolean(
        load_default=False,
        metadata={
            "description": "CSV for a spreadsheet: text that it would take for a formula gets an "
            "apostrophe. Without it cells are exactly what is stored."
        },
    )


@blueprint.route("/results", methods=["GET"])
@require("batches.read", or_admin=True)
@blueprint.doc(operationId="getResults")
@blueprint.arguments(ResultsQuery, location="query")
@blueprint.response(
    200, **text_answer(_LINE), content_type=NDJSON, description="A line or a row an item, by index."
)
@blueprint.alt_response(
    200, **text_answer(_ROW), content_type=CSV, description="A line or a row an item, by index."
)
def results(query: dict[str, Any], batch_id: UUID) -> Response:
    """Download a batch's items

    Streamed, gzipped if `Accept-Encoding` says so. Of a batch that still runs each item is told as
    it is when its turn comes. An answer that breaks off is not ended properly, so that it cannot be
    taken for whole; it goes on with `after`, the last index that came.
    """
    here = services()
    client_id = owner_of(batch_id)
    head, lines = _writer(query)
    pages = read_items(
        here.engine, client_id, batch_id, which=item_filter_of(query), after=query["after"]
    )
    # Errors that show at once are raised here, while the status can still be another one.
    first = next(pages)
    is_csv = query["format"] == "csv"

    def chunks() -> Iterator[bytes]:
        yield head
        for page in chain([first], pages):
            yield lines(page)

    return streamed(
        request,
        chunks(),
        CSV if is_csv else NDJSON,
        filename=f"{batch_id}.{'csv' if is_csv else 'ndjson'}",
    )


def _writer(query: dict[str, Any]) -> tuple[bytes, Lines]:
    """The first line, if the format has one, and the function that makes lines of items."""
    if query["format"] == "csv":
        return csv_header(), csv_rows(guarded=query["spreadsheet"])
    return b"", resubmission if query["format"] == "resubmit" else ndjson
