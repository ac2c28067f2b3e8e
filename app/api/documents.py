"""The OpenAPI document's part on bodies that the views read themselves, and on headers.

Every example here is sent to a running system by a test, and succeeds.
"""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from app.web.bodies import CSV, JSON, NDJSON
from app.web.envelope import EnvelopeSchema

_OPERATION = "catalog.masterlist"
_ITEM = {"asin": "B000000001", "countryCode": "US", "percACoS": 2.7}
_NDJSON = "".join(
    f'{{"operation": "{_OPERATION}", '
    f'"data": {{"asin": "B00000000{n}", "countryCode": "US", "percACoS": 2.7}}}}\n'
    for n in (1, 2)
)
_CSV = "asin,countryCode,percACoS\nB000000001,US,2.7\nB000000002,US,3.1\n"
_ITEMS = ma.fields.List(
    ma.fields.Raw(),
    metadata={
        "description": "What the operation's schema says; or `{operation, data}`, which names "
        "an operation of its own."
    },
)


def _in_query(name: str, field: ma.fields.Field[Any]) -> ma.fields.Field[Any]:
    """A field of the envelope as a query parameter: without its default.

    A generated client would send that, and a page that tries the API out too, beside a body that
    says something else.
    """
    description = field.metadata.get("description", "")
    if isinstance(field, (ma.fields.Dict, ma.fields.Nested, ma.fields.List)):
        return ma.fields.String(metadata={"description": f"{description} As JSON text."})
    metadata: dict[str, Any] = {"description": description}
    if name == "operation":
        metadata["example"] = _OPERATION
    if "oneOf" in field.metadata:
        metadata["oneOf"] = field.metadata["oneOf"]
    return type(field)(validate=field.validate, metadata=metadata)


_InQuerySchema = ma.Schema.from_dict(
    {name: _in_query(name, field) for name, field in EnvelopeSchema().fields.items()},
    name="SubmissionQuery",
)
FIELDS_IN_QUERY: dict[str, Any] = {"in": "query", "schema": _InQuerySchema}
"""Beside a body of items alone: NDJSON, CSV, or a JSON array."""
WAIT: dict[str, Any] = {
    "in": "query",
    "name": "wait",
    "description": "Hold the answer until the batch ends, at most so many seconds.",
    "schema": {"type": "integer", "minimum": 0},
}


def _header(description: str, kind: str = "string") -> dict[str, Any]:
    return {"schema": {"type": kind}, "description": description}


BATCH_HEADERS = {
    "ETag": _header("Of the batch as it is shown; for `If-None-Match` and `If-Match`."),
    "Retry-After": _header("Seconds after which to ask again; until it has ended.", "integer"),
}
LOCATION = {"Location": _header("The path of what was made.")}
MADE_ONCE = {
    "Idempotent-Replayed": _header("`true`: this is the answer of the first request of that key.")
}


def _parameter(name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {
        "in": "header",
        "name": name,
        "description": description,
        "schema": {"type": "string", **schema},
    }


IF_NONE_MATCH = _parameter("If-None-Match", "The `ETag` of the batch as it was seen.")
LAST_EVENT_ID = _parameter("Last-Event-ID", "The `id` of the last event that came.")
CONTENT_ENCODING = _parameter(
    "Content-Encoding", "How the body is packed, if it is.", enum=["gzip", "identity"]
)


class SubmissionSchema(EnvelopeSchema):
    """A batch to be made. An array of items alone is taken, too."""

    items = _ITEMS


class ItemsSchema(ma.Schema):
    """Items to append. An array of items alone is taken, too."""

    items = _ITEMS


def submission_body() -> dict[str, Any]:
    """The requestBody of a submission."""
    example = {"operation": _OPERATION, "name": "nightly feed", "items": [_ITEM]}
    return _body(SubmissionSchema, example)


def items_body() -> dict[str, Any]:
    """The requestBody of an append."""
    return _body(ItemsSchema, {"items": [_ITEM]})


def json_body(schema: type[ma.Schema], example: Any, *, required: bool = True) -> dict[str, Any]:
    """A requestBody of that schema."""
    content = {JSON: {"schema": schema, "example": example}}
    return {"required": required, "content": content}


def text_answer(example: str) -> dict[str, Any]:
    """For `blueprint.response`: a body that is text, of whatever media type."""
    return {"schema": {"type": "string"}, "example": example}


def _body(schema: type[ma.Schema], example: Any) -> dict[str, Any]:
    return {
        "required": True,
        "content": {
            JSON: {"schema": schema, "example": example},
            NDJSON: {"schema": {"type": "string"}, "example": _NDJSON},
            CSV: {"schema": {"type": "string"}, "example": _CSV},
        },
    }
