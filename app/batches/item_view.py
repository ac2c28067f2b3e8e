"""An item as it is shown: each of its fields is declared here, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult

from app.batches.fields import JsonText, columns_of, fields_of, shown
from app.core.lifecycle import ITEM_STATUSES_SHOWN, RUNNING
from handlers.jsonbounds import LONGEST_REFUSAL, REFUSED


# In the SQL, `i` is the item, `h` the claimed slice's hold on it, if there is one, and :operation
# the batch's (app/db/statements/item_pages.py).
@dataclass(frozen=True, slots=True)
class ItemView:
    """An item of a batch."""

    index: int = field(metadata=shown("Its position in the batch, from 0.", sql="i.index"))
    key: str | None = field(metadata=shown("The record it touches.", sql="i.key"))
    operation: str | None = field(metadata=shown(sql="coalesce(i.operation, :operation)"))
    status: str = field(
        metadata=shown(
            sql=f"CASE WHEN h.index IS NULL THEN i.status ELSE '{RUNNING}' END",
            choices=ITEM_STATUSES_SHOWN,
        )
    )
    attempts: int = field(
        metadata=shown(
            "How often it was tried.",
            sql="""coalesce(i.tried_before, 0)
                + CASE WHEN h.index IS NULL THEN i.attempts ELSE i.attempts + 1 END""",
        )
    )
    code: int | None = field(metadata=shown("Of what went wrong; HTTP-like.", sql="i.code"))
    message: str | None = field(metadata=shown(sql="i.message"))
    result: JsonText | None = field(metadata=shown(sql="i.result::text"))
    input: JsonText = field(
        metadata=shown(
            "The JSON as it was sent; null if it could not be kept.", sql="i.input::text"
        )
    )
    created_at: datetime = field(metadata=shown("When it was submitted.", sql="i.created_at"))
    started_at: datetime | None = field(
        metadata=shown("When it was first tried.", sql="coalesce(i.started_at, h.claimed_at)")
    )
    finished_at: datetime | None = field(metadata=shown("When it ended.", sql="i.finished_at"))
    failure: str | None = field(
        metadata=shown("Of what went wrong: the same for the same cause.", sql="i.failure")
    )


ITEM_COLUMNS = columns_of(ItemView)
"""What reads an `ItemView`, for the statements of app/db/statements/item_pages.py."""
_NAMES = tuple(each.name for each in fields_of(ItemView))


def item_views(result: CursorResult[*tuple[Any, ...]]) -> list[ItemView]:
    """The items that such a statement found."""
    # The columns are picked by the names of the fields, once for all rows. As keywords, a name and
    # a row at a time, it would take twice as long, and items are read by the million.
    found = [ItemView(*row) for row in result.columns(*_NAMES)]
    for place, item in enumerate(found):
        if item.input.startswith(REFUSED):
            found[place] = replace(item, input=JsonText("null"))
    return found


def size_of(items: Iterable[ItemView]) -> int:
    """Bytes of their inputs and results, as `select_items` adds them up, or more.

    What is stored in the place of an input that could not be kept is longer than the null shown.
    """
    return sum(
        (LONGEST_REFUSAL if item.input == "null" else len(item.input.encode()))
        + len((item.result or "").encode())
        for item in items
    )
