"""/v1/audit: what was done, by whom and from where."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import marshmallow as ma
import msgspec
from flask import Response

from app.api.schemas import page_schema
from app.audit.reading import AuditEntry, AuditFilter, list_audit
from app.core.jsontext import moment
from app.db import read
from app.web.auth import caller, require
from app.web.blueprint import Blueprint
from app.web.envelope import Name
from app.web.paging import PageQuery, cursor_at, page_of
from app.web.responses import answer
from app.web.services import services
from handlers.fields import Timestamp

blueprint = Blueprint("audit", __name__, url_prefix="/v1/audit", description="Who did what.")


class AuditQuery(PageQuery):
    """The parameters of the list of actions."""

    batch = ma.fields.UUID(metadata={"description": "Only those on this batch."})
    action = Name(metadata={"description": "Only these, such as `batch.cancel`."})
    key = ma.fields.UUID(metadata={"description": "Only those by this key."})
    after = Timestamp(metadata={"description": "Later than this."})
    before = Timestamp(metadata={"description": "Earlier than this."})


class AuditEntrySchema(ma.Schema):
    """An action that changed something."""

    id = ma.fields.UUID(required=True)
    at = ma.fields.DateTime(required=True)
    action = ma.fields.String(required=True, metadata={"example": "batch.cancel"})
    clientId = ma.fields.UUID(
        required=True, metadata={"description": "Whose the thing is that was changed."}
    )
    keyId = ma.fields.UUID(
        required=True,
        allow_none=True,
        metadata={"description": "By which key; null for the command line."},
    )
    keyName = ma.fields.String(required=True, allow_none=True)
    address = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "Where the request came from."}
    )
    requestId = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "The request's `X-Request-Id`."}
    )
    batchId = ma.fields.UUID(
        required=True,
        allow_none=True,
        metadata={"description": "Which may have been deleted since."},
    )
    detail = ma.fields.Dict(
        required=True, metadata={"description": "What else is known, by the action."}
    )


AuditPageSchema = page_schema(AuditEntrySchema, "AuditPage")


@blueprint.route("", methods=["GET"])
@require("batches.read", or_admin=True)
@blueprint.doc(operationId="listAudit")
@blueprint.arguments(AuditQuery, location="query")
@blueprint.response(200, AuditPageSchema)
def index(query: dict[str, Any]) -> Response:
    """List what was done, newest first

    The client's own; with `admin` everybody's. A page may be short, or empty, and not the last:
    `next` says.
    """
    page = page_of(query, UUID, "audit")
    who = caller()
    which = AuditFilter(
        client_id=None if who.is_admin else who.client_id,
        batch_id=query.get("batch"),
        action=query.get("action"),
        key_id=query.get("key"),
        after=query.get("after"),
        before=query.get("before"),
    )
    found, end = read(
        services().engine,
        lambda connection: list_audit(connection, which, below=page.position, limit=page.limit),
    )
    return answer(
        {
            "data": [_body(entry) for entry in found],
            "next": None if end is None else cursor_at(end, page.name),
        }
    )


def _body(entry: AuditEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "at": moment(entry.at),
        "action": entry.action,
        "clientId": entry.client_id,
        "keyId": entry.key_id,
        "keyName": entry.key_name,
        "address": entry.address,
        "requestId": entry.request_id,
        "batchId": entry.batch_id,
        "detail": msgspec.Raw(entry.detail.encode()),
    }
