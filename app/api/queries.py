"""The query parameters of the native API's reading requests."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from werkzeug.datastructures import MultiDict

from app.api.item_filters import ItemFilterQuery
from app.core.errors import FieldError, Invalid
from app.core.lifecycle import BATCH_STATUSES
from app.web.envelope import Name
from app.web.paging import PageQuery
from app.web.problems import loaded
from app.web.services import services
from handlers.fields import Timestamp


class BatchQuery(ma.Schema):
    """The parameters of reading one batch."""

    wait = ma.fields.Integer(
        load_default=0,
        validate=ma.validate.Range(min=0),
        metadata={"description": "Hold the answer until the batch ends, at most so many seconds."},
    )

    @ma.validates("wait")
    def _not_too_long(self, wait: int, **_: Any) -> None:
        most = services().settings.max_wait_seconds
        if wait > most:
            raise ma.ValidationError(f"Must be at most {most}.")


_BATCH_QUERY = BatchQuery()


def wait_apart(query: MultiDict[str, str]) -> tuple[int, MultiDict[str, str]]:
    """The seconds of `wait` (0 without it), and the other parameters. Raises Invalid."""
    if "wait" not in query:
        return 0, query
    others = MultiDict([pair for pair in query.items(multi=True) if pair[0] != "wait"])
    if len(query.getlist("wait")) > 1:
        raise Invalid(
            "wait: Stands more than once.", errors=[FieldError("/wait", "Stands more than once.")]
        )
    return int(loaded(_BATCH_QUERY, {"wait": query["wait"]})["wait"]), others


class BatchListQuery(PageQuery):
    """The parameters of the list of batches."""

    client = ma.fields.UUID(
        metadata={"description": "Of this client only; needs `admin`, which else sees all."}
    )
    status = ma.fields.String(validate=ma.validate.OneOf(BATCH_STATUSES))
    operation = Name()
    dialect = Name()
    reference = Name(metadata={"description": "The id that the dialect gave it."})
    createdAfter = Timestamp(metadata={"description": "Created later than this."})
    createdBefore = Timestamp(metadata={"description": "Created earlier than this."})


class ItemListQuery(PageQuery, ItemFilterQuery):
    """The parameters of the list of a batch's items."""
