"""/v1/batches/{id}/failures and /v1/failures: what went wrong, by cause."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import marshmallow as ma
from flask import Response

from app.api.schemas import page_schema
from app.batches.failures.reading import (
    ClientFailureFilter,
    list_client_failures,
    list_failures,
)
from app.core.jsontext import moment
from app.db import read
from app.db.statements.failure_lists import ClientFailureRow, FailureRow
from app.web.auth import require
from app.web.blueprint import Blueprint
from app.web.envelope import Name
from app.web.owners import client_of, owner_of
from app.web.paging import PageQuery, page_answer, page_of
from app.web.services import services
from handlers.fields import Timestamp

blueprint = Blueprint("failures", __name__, url_prefix="/v1", description="What went wrong.")
_POSITION: Any = tuple[int, str]


class ClientFailureQuery(PageQuery):
    """The parameters of the list over all batches."""

    operation = Name(metadata={"description": "Only those of this operation."})
    since = Timestamp(metadata={"description": "Only those that happened then or later."})
    client = ma.fields.UUID(
        metadata={"description": "Of this client only; needs `admin`, which else sees all."}
    )


class _Cause(ma.Schema):
    failure = ma.fields.String(
        required=True,
        metadata={
            "description": "A short id, the same for the same cause in every batch; `other` for "
            "all beyond the thousandth of a batch."
        },
    )
    operation = ma.fields.String(required=True, allow_none=True)
    status = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "FAILED or INVALID."}
    )
    code = ma.fields.Integer(required=True, allow_none=True)
    message = ma.fields.String(
        required=True, metadata={"description": "With `…` where values vary."}
    )
    count = ma.fields.Integer(
        required=True, metadata={"description": "Items that have it now; exact once it has ended."}
    )


class FailureSchema(_Cause):
    """A cause by which items of a batch went wrong."""

    firstIndex = ma.fields.Integer(required=True, allow_none=True)
    lastIndex = ma.fields.Integer(required=True, allow_none=True)
    example = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "The whole message of one item."}
    )


class ClientFailureSchema(_Cause):
    """A cause by which items of a client's batches went wrong."""

    example = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "The whole message of one item."}
    )
    batches = ma.fields.Integer(required=True, metadata={"description": "In how many batches."})
    firstAt = ma.fields.DateTime(required=True)
    lastAt = ma.fields.DateTime(required=True)


FailurePageSchema = page_schema(FailureSchema, "FailurePage")
ClientFailurePageSchema = page_schema(ClientFailureSchema, "ClientFailurePage")


@blueprint.route("/batches/<uuid:batch_id>/failures", methods=["GET"])
@require("batches.read", or_admin=True)
@blueprint.doc(operationId="listBatchFailures")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, FailurePageSchema)
def of_batch(query: dict[str, Any], batch_id: UUID) -> Response:
    """List what went wrong in a batch, by cause

    Most frequent first. Items fall together that have the same operation, status, code, and
    message but for numbers, quoted values, ids and hosts. `GET …/items?failure=` lists the items.
    """
    page = page_of(query, _POSITION, "batch failures")
    client_id = owner_of(batch_id)
    found = read(
        services().engine,
        lambda connection: list_failures(
            connection, client_id, batch_id, after=page.position, limit=page.fetch
        ),
    )
    return page_answer(page, found, body=_body, position=_position)


@blueprint.route("/failures", methods=["GET"])
@require("batches.read", or_admin=True)
@blueprint.doc(operationId="listFailures")
@blueprint.arguments(ClientFailureQuery, location="query")
@blueprint.response(200, ClientFailurePageSchema)
def of_client(query: dict[str, Any]) -> Response:
    """List what went wrong in all batches, by cause

    The client's own; with `admin` every client's, or those of `client`. Most frequent first: as
    many as there are now. What is retried, reset or deleted does not count any more.
    """
    page = page_of(query, _POSITION, "failures")
    client_id = client_of(query)
    which = ClientFailureFilter(query.get("operation"), query.get("since"))
    found = read(
        services().engine,
        lambda connection: list_client_failures(
            connection, client_id, which, after=page.position, limit=page.fetch
        ),
    )
    return page_answer(page, found, body=_body_over_batches, position=_position)


def _position(row: FailureRow | ClientFailureRow) -> tuple[int, str]:
    return row.count, row.failure


def _cause(row: FailureRow | ClientFailureRow) -> dict[str, Any]:
    return {
        "failure": row.failure,
        "operation": row.operation,
        "status": row.status,
        "code": row.code,
        "message": row.message,
        "count": row.count,
    }


def _body(row: FailureRow) -> dict[str, Any]:
    return {
        **_cause(row),
        "firstIndex": row.first_index,
        "lastIndex": row.last_index,
        "example": row.example,
    }


def _body_over_batches(row: ClientFailureRow) -> dict[str, Any]:
    return {
        **_cause(row),
        "example": row.example,
        "batches": row.batches,
        "firstAt": moment(row.first_at),
        "lastAt": moment(row.last_at),
    }
