"""What Quartile's answers look like."""

from __future__ import annotations

import marshmallow as ma

from handlers.shipped.catalog.handler import MasterlistSchema


class QuartileBatchId(ma.Schema):
    """The id by which the results are asked for."""

    batchId = ma.fields.String(required=True, metadata={"example": "5349b4ddd2781d08c09890f3"})


class QuartileItemStatus(ma.Schema):
    """How an item ended. `process` is null where it did not succeed."""

    success = ma.fields.Boolean(required=True)
    message = ma.fields.String(required=True)
    process = ma.fields.String(
        required=True, allow_none=True, validate=ma.validate.OneOf(["INSERT", "UPDATE"])
    )


class QuartileResultItem(MasterlistSchema):
    """An item as it was sent, with an id and how it ended."""

    id = ma.fields.String(required=True)
    status = ma.fields.Nested(QuartileItemStatus, required=True)


class QuartileResults(QuartileBatchId):
    """A batch that has been processed."""

    status = ma.fields.String(required=True, metadata={"enum": ["SUCCESS", "PARTIAL", "FAILED"]})
    data = ma.fields.List(ma.fields.Nested(QuartileResultItem), required=True)


class QuartileProcessing(ma.Schema):
    """A batch that has not been processed yet."""

    detail = ma.fields.String(required=True, metadata={"example": "processing"})
    status = ma.fields.String(required=True, metadata={"enum": ["PENDING", "RUNNING"]})
