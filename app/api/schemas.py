"""What the native API answers, for the OpenAPI document. Answers are not made by these schemas."""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from app.api.view_schemas import view_schema
from app.batches.batch_view import BatchView
from app.batches.item_view import ItemView


def _count(description: str) -> ma.fields.Integer:
    return ma.fields.Integer(required=True, metadata={"description": description})


class BatchSchema(view_schema(BatchView)):  # type: ignore[misc]
    """A batch."""

    clientId = ma.fields.UUID(metadata={"description": "Whose it is: said only to `admin`."})
    clientName = ma.fields.String(metadata={"description": "Said only to `admin`."})


ItemSchema = view_schema(ItemView)


class RecordSchema(ma.Schema):
    """What a handler stored."""

    collection = ma.fields.String(required=True)
    key = ma.fields.String(required=True)
    data = ma.fields.Raw(required=True)
    version = _count("How often it was written.")
    updatedAt = ma.fields.DateTime(
        required=True, metadata={"description": "When it was last written. RFC 3339, UTC."}
    )


class OperationSchema(ma.Schema):
    """An operation that batches can ask for."""

    name = ma.fields.String(required=True)
    description = ma.fields.String(required=True)
    schema = ma.fields.Dict(
        required=True, metadata={"description": "JSON Schema (2020-12) of an item."}
    )
    key = ma.fields.List(
        ma.fields.String(),
        required=True,
        metadata={"description": "Fields that name the record an item touches."},
    )
    collection = ma.fields.String(required=True, allow_none=True)
    maxAttempts = _count("Tries before an item is FAILED.")
    timeoutSeconds = ma.fields.Float(required=True)
    bulk = ma.fields.Boolean(required=True)
    served = ma.fields.Boolean(
        required=True,
        metadata={"description": "Whether a live worker has it; where none has, batches wait."},
    )


class LimitsSchema(ma.Schema):
    """What requests are bounded by."""

    maxItemsJson = _count("Items in a JSON body.")
    maxItemsStream = _count("Items in an NDJSON or CSV body, and in a batch.")
    maxItemBytes = _count("Bytes of one item.")
    maxBodyBytes = _count("Bytes of a JSON body, decompressed.")
    defaultPageSize = _count("Entries of a page, unless said.")
    maxPageSize = _count("Entries of a page at most.")
    maxWaitSeconds = _count("Seconds that `wait` may say.")


def page_schema(entry: type[ma.Schema], name: str) -> type[ma.Schema]:
    """The schema of a page of `entry`."""
    fields: dict[str, Any] = {
        "data": ma.fields.List(ma.fields.Nested(entry), required=True),
        "next": ma.fields.String(
            required=True,
            allow_none=True,
            metadata={"description": "The cursor of the next page; null on the last."},
        ),
    }
    made: type[ma.Schema] = ma.Schema.from_dict(fields, name=name)
    return made


BatchPageSchema = page_schema(BatchSchema, "BatchPage")
ItemPageSchema = page_schema(ItemSchema, "ItemPage")
RecordPageSchema = page_schema(RecordSchema, "RecordPage")


class OperationListSchema(ma.Schema):
    """All operations."""

    data = ma.fields.List(ma.fields.Nested(OperationSchema), required=True)
