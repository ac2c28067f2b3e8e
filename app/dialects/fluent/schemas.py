"""What Fluent's requests and answers look like."""

from __future__ import annotations

import marshmallow as ma

from app.batches.submission import MAX_NAME_LENGTH
from app.dialects.common.batches import whole_number
from app.dialects.common.bodies import Entries
from app.dialects.fluent.dialect import BATCH
from handlers.fields import Text
from handlers.shipped.category.handler import CategorySchema

ENTITY_TYPE = "CATEGORY"
COUNT, MOST_COUNT = 100, 5000


class FluentNewJob(ma.Schema):
    """A job to be made."""

    class Meta:
        unknown = ma.RAISE

    name = Text(required=True, longest=MAX_NAME_LENGTH)


class FluentBatchRequest(ma.Schema):
    """Categories to insert or update."""

    class Meta:
        unknown = ma.RAISE

    action = ma.fields.String(required=True, validate=ma.validate.OneOf(["UPSERT"]))
    entityType = ma.fields.String(required=True, validate=ma.validate.OneOf([ENTITY_TYPE]))
    entities = Entries(ma.fields.Nested(CategorySchema), required=True, metadata={"minItems": 1})


class ResultsQuery(ma.Schema):
    """Which of the results."""

    start = whole_number(default=1, low=1, says="The first, from 1.")
    count = whole_number(default=COUNT, low=1, high=MOST_COUNT, says="The most of them.")


class FluentId(ma.Schema):
    """A number, as text."""

    id = ma.fields.String(required=True, metadata={"example": "427323"})


class FluentRecordStatus(ma.Schema):
    """How an entity ended. `entityId` is there only where it succeeded."""

    responseCode = ma.fields.Integer(required=True, metadata={"enum": [200, 404, 500]})
    entityId = ma.fields.String()
    entityRef = ma.fields.String(required=True, allow_none=True)
    message = ma.fields.String(required=True)


class FluentBatchResponse(ma.Schema):
    """A batch, and how those of its entities ended that `start` and `count` ask for."""

    batchId = ma.fields.String(required=True)
    entityType = ma.fields.String(required=True, metadata={"enum": [ENTITY_TYPE]})
    status = ma.fields.String(required=True, metadata={"enum": sorted(set(BATCH.values()))})
    start = ma.fields.Integer(required=True)
    count = ma.fields.Integer(required=True)
    total = ma.fields.Integer(required=True)
    results = ma.fields.List(ma.fields.Nested(FluentRecordStatus), required=True)
    createdOn = ma.fields.String(required=True)
