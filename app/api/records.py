"""/v1/records: what handlers stored.

A key's parts are joined by `:`, with `:`, `/` and `%` percent-encoded inside a part; the key is
then percent-encoded once more in the path, as any text in a URL. The server decodes the path once.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import msgspec
from flask import Flask, Response
from werkzeug.routing import BaseConverter

from app.api.schemas import RecordPageSchema, RecordSchema
from app.batches.copying import storable
from app.core.errors import NotFound
from app.core.jsontext import moment
from app.db import read
from app.db.records import RecordStore, StoredRecord
from app.web.auth import caller, require
from app.web.blueprint import Blueprint
from app.web.paging import PageQuery, page_answer, page_of
from app.web.responses import answer
from app.web.services import services

# A record may be as large as an item. As with those (app/api/items.py) a page ends early, with a
# cursor to go on from, rather than fill the memory.
_MOST_BYTES = 4 * 1024 * 1024


class KeyConverter(BaseConverter):
    """The rest of the path, with any characters; werkzeug's own converter stops at line breaks."""

    part_isolating = False
    regex = "(?s:[^/].*?)"
    weight = 200


blueprint = Blueprint(
    "records", __name__, url_prefix="/v1/records", description="What the operations stored."
)


def register_converter(flask: Flask) -> None:
    """Let routes say `<record_key:...>`; before the blueprint is registered."""
    flask.url_map.converters["record_key"] = KeyConverter


@blueprint.route("/<collection>", methods=["GET"])
@require("batches.read")
@blueprint.doc(operationId="listRecords")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, RecordPageSchema)
def index(query: dict[str, Any], collection: str) -> Response:
    """List a collection's records, by their keys"""
    page = page_of(query, str, f"records/{collection}")
    found: list[StoredRecord] = []
    if storable(collection) and storable(page.position or ""):
        client_id = caller().client_id
        found = read(
            services().engine,
            lambda connection: RecordStore(connection, client_id).page(
                collection,
                after=page.position or "",
                limit=page.fetch,
                most_bytes=_MOST_BYTES,
            ),
        )
    size = sum(len(record.text.encode()) for record in found)
    return page_answer(
        page,
        found,
        body=_body,
        position=attrgetter("key"),
        cut_short=size >= _MOST_BYTES,
    )


@blueprint.route("/<collection>/<record_key:key>", methods=["GET"])
@require("batches.read")
@blueprint.doc(operationId="getRecord")
@blueprint.response(200, RecordSchema)
def show(collection: str, key: str) -> Response:
    """Show a record"""
    found = None
    if storable(collection) and storable(key):
        client_id = caller().client_id
        found = read(
            services().engine,
            lambda connection: RecordStore(connection, client_id).one(collection, key),
        )
    if found is None:
        raise NotFound(f"There is no record {key} in {collection}.")
    return answer(_body(found))


def _body(record: StoredRecord) -> dict[str, Any]:
    return {
        "collection": record.collection,
        "key": record.key,
        "data": msgspec.Raw(record.text.encode()),
        "version": record.version,
        "updatedAt": moment(record.updated_at),
    }
