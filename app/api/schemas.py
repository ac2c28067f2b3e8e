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
    breaker = ma.fields.String(
        required=True,
        metadata={
            "enum": ["closed", "open", "probing"],
            "description": "Whether items may begin: the worst of `breakers`. While one is `open` "
            "none does; `probing`: one tries whether all is well again.",
        },
    )
    breakers = ma.fields.List(ma.fields.Nested(lambda: OperationBreakerSchema()), required=True)
    breakerLimits = ma.fields.Nested(
        lambda: BreakerLimitsSchema(),
        required=True,
        allow_none=True,
        metadata={"description": "When it opens by itself; null for never."},
    )


class OperationBreakerSchema(ma.Schema):
    """One of an operation's breakers."""

    base = ma.fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Which of its bases; null for all of the operation."},
    )
    state = ma.fields.String(required=True, metadata={"enum": ["closed", "open", "probing"]})
    byHand = ma.fields.Boolean(
        required=True, metadata={"description": "Opened by an admin: it stays so."}
    )
    changedAt = ma.fields.DateTime(
        required=True,
        allow_none=True,
        metadata={"description": "Since when it is so; null where nothing ever failed."},
    )
    pacedUntil = ma.fields.DateTime(
        required=True,
        allow_none=True,
        metadata={
            "description": "Nothing of it begins before, as who is called has asked for; or null."
        },
    )


class BreakerLimitsSchema(ma.Schema):
    """When an operation opens by itself."""

    failures = ma.fields.Float(
        required=True, metadata={"description": "The share of tries that fail."}
    )
    of = _count("Tries that there must be at least.")
    within = ma.fields.Float(
        required=True, metadata={"description": "Seconds for which they are counted."}
    )
    rest = ma.fields.Float(
        required=True, metadata={"description": "Seconds after which one item tries again."}
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
