"""Parts of the dialects' answers: times, an item's own fields, its result and message."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from app.batches.item_view import ItemView
from app.core.jsontext import loads
from app.core.lifecycle import CANCELED

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def seconds(moment: datetime | None) -> str | None:
    """`2025-12-03T10:15:30Z`: in UTC, to the second, for readers that expect exactly that."""
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def members_of(item: ItemView) -> dict[str, msgspec.Raw]:
    """The item's members, unparsed; none where it is no object, as one added natively may be."""
    try:
        return _MEMBERS.decode(item.input)
    except msgspec.ValidationError:
        return {}


def field_of(item: ItemView, name: str) -> str | None:
    """The item's field of that name if it is text or a number, as text."""
    member = members_of(item).get(name)
    value = None if member is None else loads(bytes(member))
    if value is None or isinstance(value, (bool, list, dict)):
        return None
    return str(value)


def result_of(item: ItemView) -> dict[str, Any]:
    """The item's result; empty if it has none, or one that is no object."""
    result = None if item.result is None else loads(item.result)
    return result if isinstance(result, dict) else {}


def message_of(item: ItemView, *, success: str, waiting: str) -> str:
    """The item's message, or a sentence about its state if it has none."""
    if item.message is not None:
        return item.message
    if item.finished_at is None:
        return waiting
    return "Canceled before it was processed" if item.status == CANCELED else success
