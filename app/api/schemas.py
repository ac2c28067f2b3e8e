"""What the native API answers, for the OpenAPI document. Answers are not made by these schemas."""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from app.core.lifecycle import BATCH_STATUSES, ITEM_STATUSES_SHOWN


def _one_of(values: tuple[str, ...]) -> ma.fields.String:
    return ma.fields.String(required=True, validate=ma.validate.OneOf(values))


def _count(description: str) -> ma.fields.Integer:
    return ma.fields.Integer(required=True, metadata={"description": description})


def _moment(description: str, **options: Any) -> ma.fields.DateTime:
    return ma.fields.DateTime(
        required=True, metadata={"description": f"{description} RFC 3339, UTC."}, **options
    )


class SummarySchema(ma.Schema):
    """A batch's items by how they stand."""

    total = _count("All items.")
    pending = _count("Not begun, or waiting to be tried again.")
    running = _count("Being processed.")
    completed = _count("Ended SUCCESS.")
    failed = _count("Ended FAILED.")
    invalid = _count("Ended INVALID.")
    canceled = _count("Ended CANCELED.")
    processed = _count("completed + failed + invalid.")


class BatchSchema(ma.Schema):
    """A batch."""

    id = ma.fields.UUID(required=True)
    name = ma.fields.String(required=True, allow_none=True)
    operation = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "null: the items name theirs."}
    )
    status = _one_of(BATCH_STATUSES)
    createdAt = _moment("When it was submitted.")
    scheduledAt = _moment("When it is to start.", allow_none=True)
    startedAt = _moment("When it began.", allow_none=True)
    finishedAt = _moment("When it ended.", allow_none=True)
    progress = ma.fields.Float(
        required=True, metadata={"description": "The part of its items that have ended, 0 to 1."}
    )
    metadata = ma.fields.Dict(required=True, allow_none=True)
    stopReason = ma.fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Why the rest was canceled: `canceled` or `max_failures`."},
    )
    dialect = ma.fields.String(
        required=True, metadata={"description": "The API it came by: `native`, or a dialect."}
    )
    reference = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "The id that the dialect gave."}
    )
    summary = ma.fields.Nested(SummarySchema, required=True)


class ItemSchema(ma.Schema):
    """An item of a batch."""

    index = _count("Its position in the batch, from 0.")
    key = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "The record it touches."}
    )
    operation = ma.fields.String(required=True, allow_none=True)
    status = _one_of(ITEM_STATUSES_SHOWN)
    attempts = _count("How often it was tried.")
    code = ma.fields.Integer(
        required=True, allow_none=True, metadata={"description": "Of what went wrong; HTTP-like."}
    )
    message = ma.fields.String(required=True, allow_none=True)
    result = ma.fields.Raw(required=True, allow_none=True)
    input = ma.fields.Raw(required=True, metadata={"description": "The JSON as it was sent."})
    createdAt = _moment("When it was submitted.")
    startedAt = _moment("When it was first tried.", allow_none=True)
    finishedAt = _moment("When it ended.", allow_none=True)


class RecordSchema(ma.Schema):
    """What a handler stored."""

    collection = ma.fields.String(required=True)
    key = ma.fields.String(required=True)
    data = ma.fields.Raw(required=True)
    version = _count("How often it was written.")
    updatedAt = _moment("When it was last written.")


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
