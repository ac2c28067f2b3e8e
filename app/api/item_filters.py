"""The query parameters that choose items of a batch, of lists and downloads alike."""

from __future__ import annotations

import re
from typing import Any

import marshmallow as ma

from app.batches.queries import ItemFilter
from app.core.lifecycle import ITEM_STATUSES_SHOWN
from app.web.envelope import Name
from app.web.openapi_forms import WithCommas

MOST_INDEXES = 1000
"""Of a query."""
_LAST_INDEX = 2**31 - 1
_LAST_CODE = 2**31 - 1
_INDEX = re.compile(r"\d{1,10}", re.ASCII)


class Statuses(WithCommas):
    """Status words, with commas between them."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        words = self.parts_of(value)
        if not set(words) <= set(ITEM_STATUSES_SHOWN):
            raise ma.ValidationError(f"Must be of {', '.join(ITEM_STATUSES_SHOWN)}.")
        return tuple(dict.fromkeys(words))


class Indexes(WithCommas):
    """Indexes of items, with commas between them."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        parts = self.parts_of(value)
        if not all(_INDEX.fullmatch(part) for part in parts):
            raise ma.ValidationError("Must be whole numbers from 0, with commas between them.")
        if len(parts) > MOST_INDEXES:
            raise ma.ValidationError(f"Must be at most {MOST_INDEXES} indexes.")
        return tuple(sorted({min(int(part), _LAST_INDEX) for part in parts}))


class ItemFilterQuery(ma.Schema):
    """Which items: those for which everything holds that is said."""

    status = Statuses(
        metadata={
            "description": f"One of {', '.join(ITEM_STATUSES_SHOWN)}, or several with commas.",
            "type": "array",
            "items": {"type": "string", "enum": [*ITEM_STATUSES_SHOWN]},
        }
    )
    key = Name(metadata={"description": "Only those that touch this record."})
    failure = Name(
        metadata={
            "description": "Only those that went wrong by this cause: the `failure` of a list of "
            "failures, or `other`."
        }
    )
    code = ma.fields.Integer(
        validate=ma.validate.Range(min=0, max=_LAST_CODE),
        metadata={"description": "Only those with this `code`."},
    )
    indexes = Indexes(
        metadata={
            "description": f"Only these, with commas between them: `3,5,9`, at most {MOST_INDEXES}."
            " Those that do not exist are passed over.",
            "type": "array",
            "items": {"type": "integer", "minimum": 0},
            "maxItems": MOST_INDEXES,
        }
    )


def item_filter_of(query: dict[str, Any]) -> ItemFilter:
    """What a loaded query says of it."""
    return ItemFilter(
        statuses=query.get("status", ()),
        key=query.get("key"),
        failure=query.get("failure"),
        code=query.get("code"),
        indexes=query.get("indexes"),
    )
