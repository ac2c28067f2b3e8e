"""Pages of a list: `limit`, and an opaque `cursor` that says where the last page ended.

A cursor names the last entry of its page, not a count of entries, so that pages do not shift when
entries are added. It belongs to its list: one of another list is refused.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import marshmallow as ma
import msgspec
from flask import Response

from app.core.errors import FieldError, Invalid
from app.web.responses import answer
from app.web.services import services

Entry = TypeVar("Entry")
_LONGEST_CURSOR = 4096


class PageQuery(ma.Schema):
    """The query parameters of every list."""

    class Meta:
        unknown = ma.RAISE

    limit = ma.fields.Integer(
        strict=False,
        validate=ma.validate.Range(min=1),
        metadata={"description": "Most entries to answer; at most `maxPageSize` of `/v1/limits`."},
    )
    cursor = ma.fields.String(metadata={"description": "`next` of the page before."})

    @ma.validates("limit")
    def _not_too_many(self, limit: int, **_: Any) -> None:
        most = services().settings.max_page_size
        if limit > most:
            raise ma.ValidationError(f"Must be at most {most}.")


@dataclass(frozen=True, slots=True)
class Page:
    """What a request asks of the list `name`. `position`: where the last page ended, or None."""

    name: str
    limit: int
    position: Any = None

    @property
    def fetch(self) -> int:
        """Entries to ask for: one above `limit`, which tells whether more follow."""
        return self.limit + 1


def page_of(query: dict[str, Any], kind: type, name: str) -> Page:
    """Take `limit` and `cursor` out of a loaded query.

    `kind`: the type of the position in this list's cursors; `name`: the list's. Raises Invalid for
    a cursor that is not of this list.
    """
    limit = query.pop("limit", None) or services().settings.default_page_size
    cursor = query.pop("cursor", None)
    return Page(name, limit, None if cursor is None else read_cursor(cursor, kind, name))


def page_answer(
    page: Page,
    found: Sequence[Entry],
    *,
    body: Callable[[Entry], object],
    position: Callable[[Entry], Any],
    cut_short: bool = False,
    end: Any = None,
) -> Response:
    """The answer that shows `found`, which were asked for by `page.fetch`, and where to go on.

    `body`: how an entry is shown; `position`: what its cursor names. `cut_short`: whether more may
    follow although fewer were found. `end`: where to go on from a page that ended early, having
    looked at enough; None where nothing follows what was found.
    """
    shown = found[: page.limit]
    more = cut_short or len(found) > page.limit
    if more:
        end = position(shown[-1])
    cursor = None if end is None else cursor_at(end, page.name)
    return answer({"data": [body(entry) for entry in shown], "next": cursor})


def cursor_at(position: Any, name: str) -> str:
    """The cursor of list `name` behind `position` (a UUID, text or a number)."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode((name, position))).decode().rstrip("=")


def read_cursor(cursor: str, kind: type, name: str) -> Any:
    """The position in a cursor of list `name`. Raises Invalid for anything else."""
    try:
        if len(cursor) > _LONGEST_CURSOR:
            raise ValueError
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        packed = base64.b64decode(padded, altchars=b"-_", validate=True)
        found, position = msgspec.msgpack.decode(packed, type=tuple[str, kind])  # type: ignore[valid-type]
        if found != name or not _storable(position):
            raise ValueError
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise Invalid(
            "The cursor is not one of this list.",
            errors=[FieldError("/cursor", "Must be `next` of a page of this list.")],
        ) from None
    return position


def _storable(position: Any) -> bool:
    """Whether Postgres has values for all of it: for a text with a NUL it has none."""
    parts = position if isinstance(position, (tuple, list)) else [position]
    return not any(isinstance(part, str) and "\x00" in part for part in parts)
