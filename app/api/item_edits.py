"""PATCH /v1/batches/{id}/items/{index}, and …/history: an item is mended, and what it was stays."""

from __future__ import annotations

from operator import attrgetter
from typing import Any
from uuid import UUID

import marshmallow as ma
import msgspec
from flask import Response, request

from app.api.documents import json_body
from app.api.schemas import ItemSchema, page_schema
from app.batches.actions.edit import edit_item
from app.batches.history import list_tries
from app.batches.serializers import item_body
from app.core.errors import FieldError, Invalid, TooLarge
from app.core.jsontext import moment
from app.core.lifecycle import ITEM_STATUSES
from app.db import read
from app.db.statements.item_tries import TryRow
from app.web.auth import caller, require
from app.web.blueprint import Blueprint
from app.web.bodies import JSON, Body, media_type
from app.web.jsonbody import SMALL, Raws, fields_of, read_object
from app.web.owners import owner_of
from app.web.paging import PageQuery, page_answer, page_of
from app.web.problems import loaded
from app.web.responses import answer
from app.web.services import services

blueprint = Blueprint(
    "item_edits",
    __name__,
    url_prefix="/v1/batches/<uuid:batch_id>/items",
    description="Mend an item of a batch.",
)
_ITEM = f"/<int(max={2**31 - 1}):index>"
# Of a page's inputs, as of a page of items.
_MOST_BYTES = 4 * 1024 * 1024
# What stands around an item in a body.
_AROUND = 64 * 1024


class ItemEditSchema(ma.Schema):
    """What is changed of an item."""

    class Meta:
        unknown = ma.RAISE

    input = ma.fields.Dict(
        required=True,
        metadata={"description": "The whole item, in the place of what was sent: an object."},
    )


class TrySchema(ma.Schema):
    """A try of an item, or what it has come to."""

    attempt = ma.fields.Integer(
        required=True,
        metadata={
            "description": "How many tries the item had had with it, as its `attempts`: what is "
            "refused before its handler sees it counts for none."
        },
    )
    at = ma.fields.DateTime(required=True, metadata={"description": "When it ended."})
    status = ma.fields.String(
        required=True,
        metadata={
            "description": "How it ended; PENDING where the item was to be tried again by itself.",
            "enum": list(ITEM_STATUSES),
        },
    )
    code = ma.fields.Integer(required=True, allow_none=True)
    message = ma.fields.String(required=True, allow_none=True)
    input = ma.fields.Raw(
        required=True,
        allow_none=True,
        metadata={"description": "What it ran on; null if that could not be kept."},
    )


TryPageSchema = page_schema(TrySchema, "TryPage")


@blueprint.route(_ITEM, methods=["PATCH"])
@require("batches.write", or_admin=True)
@blueprint.response(200, ItemSchema)
@blueprint.alt_response(409, "CONFLICT")
@blueprint.doc(
    operationId="editItem",
    requestBody=json_body(
        ItemEditSchema,
        {"input": {"asin": "B000000001", "countryCode": "US", "percACoS": 2.7}},
    ),
)
def edit(batch_id: UUID, index: int) -> Response:
    """Edit an item

    Its input is another from then on: of an item that did not succeed, in a batch that has ended,
    or of any in an OPEN one; 409 names the state where it is neither. Its key is read anew, its
    operation and status stay, and nothing is run: retry it then. That the input is what the
    operation asks for is seen when it runs.
    """
    here, client_id = services(), owner_of(batch_id)
    loaded(ma.Schema.from_dict({})(unknown=ma.RAISE), request.args)
    most = here.settings.max_item_bytes
    body = Body(request, max(SMALL, most + _AROUND)).read_all()
    if body:
        media_type(request, (JSON,))
    text = _input_of(read_object(body) if body else {}, most)
    item = edit_item(
        here.engine,
        here.registry,
        client_id,
        batch_id,
        index,
        text,
        operations=caller().operations,
    )
    return answer(item_body(item))


def _input_of(raws: Raws, most: int) -> str:
    """The JSON of `input`, to the letter."""
    sent = bytes(raws.get("input", b""))
    if len(sent) > most:
        message = f"Must be at most {most} bytes."
        raise TooLarge(f"The item is too large. {message}", errors=[FieldError("/input", message)])
    if sent and sent[:1] != b"{":
        message = "Must be an object."
        raise Invalid(f"input: {message}", errors=[FieldError("/input", message)])
    loaded(ItemEditSchema(), fields_of(raws, longest=max(SMALL, most)))
    return sent.decode()


@blueprint.route(f"{_ITEM}/history", methods=["GET"])
@require("batches.read", or_admin=True)
@blueprint.doc(operationId="listTries")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, TryPageSchema)
def history(query: dict[str, Any], batch_id: UUID, index: int) -> Response:
    """List an item's tries, the oldest first

    An entry for each try, with the input that it ran on; what the item has come to is the last,
    once it has ended. An edit is none, and neither is a wait for another item.
    """
    page = page_of(query, int, "history")
    client_id = owner_of(batch_id)
    found, cut_short = read(
        services().engine,
        lambda connection: list_tries(
            connection,
            client_id,
            batch_id,
            index,
            after=0 if page.position is None else max(0, min(page.position, _LAST)),
            limit=page.fetch,
            most_bytes=_MOST_BYTES,
        ),
    )
    return page_answer(
        page, found, body=_try_body, position=attrgetter("number"), cut_short=cut_short
    )


_LAST = 2**63 - 1


def _try_body(each: TryRow) -> dict[str, Any]:
    return {
        "attempt": each.attempt,
        "at": moment(each.at),
        "status": each.status,
        "code": each.code,
        "message": each.message,
        "input": msgspec.Raw((each.input or "null").encode()),
    }
