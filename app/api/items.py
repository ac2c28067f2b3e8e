"""/v1/batches/{id}/items: list, look at one."""

from __future__ import annotations

from operator import attrgetter
from typing import Any
from uuid import UUID

from flask import Response

from app.api.item_filters import item_filter_of
from app.api.queries import ItemListQuery
from app.api.schemas import ItemPageSchema, ItemSchema
from app.batches.item_view import size_of
from app.batches.queries import find_item, list_items
from app.batches.serializers import item_body
from app.db import read
from app.web.auth import require
from app.web.blueprint import Blueprint
from app.web.owners import owner_of
from app.web.paging import page_answer, page_of
from app.web.responses import answer
from app.web.services import services

blueprint = Blueprint(
    "items", __name__, url_prefix="/v1/batches/<uuid:batch_id>", description="A batch's items."
)
_LAST_INDEX = 2**31 - 1
# A page of large items ends early, with a cursor to go on from, rather than fill the memory: while
# it is made it is there three times, and a dozen may be made at once.
_MOST_BYTES = 4 * 1024 * 1024


@blueprint.route("/items", methods=["GET"])
@require("batches.read", or_admin=True)
@blueprint.doc(operationId="listItems")
@blueprint.arguments(ItemListQuery, location="query")
@blueprint.response(200, ItemPageSchema)
def index(query: dict[str, Any], batch_id: UUID) -> Response:
    """List items, by their index

    A page may be short, or empty, and not the last: `next` says.
    """
    page = page_of(query, int, "items")
    client_id = owner_of(batch_id)
    which = item_filter_of(query)
    found, end = read(
        services().engine,
        lambda connection: list_items(
            connection,
            client_id,
            batch_id,
            which=which,
            after=-1 if page.position is None else min(page.position, _LAST_INDEX),
            limit=page.fetch,
            most_bytes=_MOST_BYTES,
        ),
    )
    return page_answer(
        page,
        found,
        body=item_body,
        position=attrgetter("index"),
        cut_short=size_of(found) >= _MOST_BYTES,
        end=end,
    )


@blueprint.route(f"/items/<int(max={_LAST_INDEX}):index>", methods=["GET"])
@require("batches.read", or_admin=True)
@blueprint.doc(operationId="getItem")
@blueprint.response(200, ItemSchema)
def show(batch_id: UUID, index: int) -> Response:
    """Show an item"""
    client_id = owner_of(batch_id)
    item = read(
        services().engine, lambda connection: find_item(connection, client_id, batch_id, index)
    )
    return answer(item_body(item))
