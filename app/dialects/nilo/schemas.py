"""What Nilo's requests and answers look like."""

from __future__ import annotations

import marshmallow as ma

from app.dialects.common.batches import whole_number
from app.dialects.nilo.dialect import BATCH, ITEM

DETAIL_PAGE = 10_000


class DetailQuery(ma.Schema):
    """A batch beyond a sensible size comes in pages; the header `Link` names the others."""

    page = whole_number(default=1, low=1, says="The page, from 1.")
    limit = whole_number(default=DETAIL_PAGE, low=1, high=DETAIL_PAGE, says="Operations a page.")


class NiloUuid(ma.Schema):
    """The batch process."""

    uuid = ma.fields.String(required=True)


class NiloDetail(ma.Schema):
    """One operation of the batch."""

    code = ma.fields.String(required=True)
    endpoint = ma.fields.String(required=True, metadata={"example": "batch/product/22222.1"})
    action = ma.fields.String(required=True, metadata={"example": "availability"})
    batchItem = ma.fields.String(required=True, metadata={"description": "Its JSON, as text."})
    status = ma.fields.String(required=True, metadata={"enum": sorted(set(ITEM.values()))})
    message = ma.fields.String(required=True)
    finishedAt = ma.fields.String(required=True, allow_none=True)
    createdAt = ma.fields.String(required=True)


class NiloDetails(NiloUuid):
    """A batch process, operation by operation."""

    detail = ma.fields.List(ma.fields.Nested(NiloDetail), required=True)


class NiloSummary(ma.Schema):
    """How many operations have ended, and how. `failed` counts canceled ones too."""

    total = ma.fields.Integer(required=True)
    processed = ma.fields.Integer(required=True)
    failed = ma.fields.Integer(required=True)
    completed = ma.fields.Integer(required=True)


class NiloStatus(NiloUuid):
    """A batch process as a whole."""

    status = ma.fields.String(
        required=True, validate=ma.validate.OneOf(sorted(set(BATCH.values())))
    )
    createdAt = ma.fields.String(required=True)
    finishedAt = ma.fields.String(required=True, allow_none=True)
    summary = ma.fields.Nested(NiloSummary, required=True)
