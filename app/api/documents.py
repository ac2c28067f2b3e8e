"""The OpenAPI document's part on bodies that the views read themselves, as streams."""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from app.api.envelope import EnvelopeSchema
from app.web.bodies import CSV, JSON, NDJSON

_ITEMS = ma.fields.List(
    ma.fields.Raw(),
    metadata={
        "description": "What the operation's schema says; or `{operation, data}`, which names "
        "an operation of its own.",
        "example": [{"asin": "A1", "countryCode": "US", "percACoS": 2.7}],
    },
)
_NDJSON = {"schema": {"type": "string"}, "example": '{"asin": "A1"}\n{"asin": "A2"}\n'}
_CSV = {"schema": {"type": "string"}, "example": "asin,countryCode,percACoS\nA1,US,2.7\n"}


_InQuerySchema = EnvelopeSchema.from_dict(
    {"metadata": ma.fields.String(metadata={"description": "A JSON object, as text."})},
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


class SubmissionSchema(EnvelopeSchema):
    """A batch to be made."""

    items = _ITEMS


class ItemsSchema(ma.Schema):
    """Items to append."""

    items = _ITEMS


def submission_body() -> dict[str, Any]:
    """The requestBody of a submission."""
    return _body(SubmissionSchema)


def items_body() -> dict[str, Any]:
    """The requestBody of an append."""
    return _body(ItemsSchema)


def _body(schema: type[ma.Schema]) -> dict[str, Any]:
    return {
        "required": True,
        "content": {JSON: {"schema": schema}, NDJSON: _NDJSON, CSV: _CSV},
    }
