"""What Gameball's requests and answers look like."""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from app.batches.submission import MAX_METADATA_BYTES
from app.core.jsontext import dumps
from app.dialects.common.bodies import Entries
from app.dialects.gameball.dialect import BATCH, MOST_ENTRIES

METHODS = ("GET", "POST", "PUT", "PATCH")
OPERATIONS = ("cashback", "redeem", "balance")


class Params(ma.fields.Raw):
    """The document says integer, and means query parameters: both are taken, and kept."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if type(value) not in (int, dict):
            raise ma.ValidationError("Must be an integer or an object.")
        if len(dumps(value)) > MAX_METADATA_BYTES // 2:
            raise ma.ValidationError("Is too long.")
        return value


class GameballStart(ma.Schema):
    """A batch to be started."""

    class Meta:
        unknown = ma.RAISE

    method = ma.fields.String(required=True, validate=ma.validate.OneOf(METHODS))
    operation = ma.fields.String(required=True, validate=ma.validate.OneOf(OPERATIONS))
    params = Params(allow_none=True, metadata={"description": "Kept with the batch."})
    body = Entries(
        ma.fields.Dict(),
        required=True,
        most=MOST_ENTRIES,
        metadata={"minItems": 1, "maxItems": MOST_ENTRIES},
    )


class GameballBatchId(ma.Schema):
    """The id by which the batch is followed."""

    batchId = ma.fields.String(required=True)


class GameballResult(ma.Schema):
    """How an entry ended."""

    index = ma.fields.Integer(
        required=True, metadata={"description": "Its place in `body`, from 0."}
    )
    playerUniqueId = ma.fields.String(required=True, allow_none=True)
    transactionId = ma.fields.String(required=True, allow_none=True)
    success = ma.fields.Boolean(required=True)
    code = ma.fields.Integer(
        required=True, allow_none=True, metadata={"description": "As an HTTP status."}
    )
    message = ma.fields.String(required=True)
    result = ma.fields.Dict(required=True, allow_none=True)


class GameballOutcomes(ma.Schema):
    """The outcome of every entry."""

    results = ma.fields.List(ma.fields.Nested(GameballResult), required=True)


class GameballBatch(ma.Schema):
    """A batch. `response` is null until it has ended."""

    operation = ma.fields.String(required=True, metadata={"enum": list(OPERATIONS)})
    errorCount = ma.fields.Integer(required=True)
    totalCount = ma.fields.Integer(required=True)
    finishedCount = ma.fields.Integer(required=True)
    startedAt = ma.fields.String(required=True, allow_none=True)
    createdAt = ma.fields.String(required=True, metadata={"example": "2017-05-30T15:14:22Z"})
    status = ma.fields.String(required=True, metadata={"enum": sorted(set(BATCH.values()))})
    response = ma.fields.Nested(GameballOutcomes, required=True, allow_none=True)
