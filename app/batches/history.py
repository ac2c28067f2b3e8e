"""An item's history: each of its tries, with the input that it ran on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy import Connection

from app.batches.item_view import ItemView
from app.batches.queries import find_item
from app.db.statements.item_tries import (
    FIND_INPUT_AFTER_TRY,
    LIST_LATEST_TRIES,
    LIST_TRIES,
    TryRow,
)
from app.db.statements.rows import rows_of
from handlers.jsonbounds import REFUSED


def list_tries(
    connection: Connection,
    client_id: UUID,
    batch_id: UUID,
    index: int,
    *,
    after: int,
    limit: int,
    most_bytes: int,
) -> tuple[list[TryRow], bool]:
    """At most `limit` tries of the client's item behind number `after`, the oldest first.

    What the item has come to is the last, once it has ended. Each has its input. Then whether it
    was cut short by `most_bytes` of inputs, of which the last may bring more. Raises NotFound for
    the batch or the item.
    """
    find_item(connection, client_id, batch_id, index)
    this = {"batch_id": batch_id, "index": index}
    found = rows_of(
        TryRow,
        connection.execute(
            LIST_TRIES, {**this, "after": after, "limit": limit, "most_bytes": most_bytes}
        ),
    )
    if not found:
        return [], False
    if found[-1].input is None:
        that = {**this, "number": found[-1].number}
        found[-1] = replace(
            found[-1], input=connection.execute(FIND_INPUT_AFTER_TRY, that).scalar_one()
        )
    return _with_inputs(found, most_bytes)


def list_latest_tries(
    connection: Connection, batch_id: UUID, item: ItemView, *, limit: int, characters: int
) -> list[TryRow]:
    """At most `limit` tries of the item, the newest first, with the beginning of each's input.

    Of a text that is no longer than `characters` that is all of it.
    """
    asked = {
        "batch_id": batch_id,
        "index": item.index,
        "limit": limit,
        "characters": characters,
    }
    found: list[TryRow] = []
    text: str | None = item.input
    for each in rows_of(TryRow, connection.execute(LIST_LATEST_TRIES, asked)):
        text = text if each.input is None else each.input
        shown = "null" if text is not None and text.startswith(REFUSED) else text
        found.append(replace(each, input=shown and shown[:characters]))
    return found


def _with_inputs(found: Sequence[TryRow], most_bytes: int) -> tuple[list[TryRow], bool]:
    """Those with the inputs that they share with the next, as many as there is room for."""
    complete: list[TryRow] = []
    text: str | None = None
    for each in reversed(found):
        text = text if each.input is None else each.input
        shown = "null" if text is not None and text.startswith(REFUSED) else text
        complete.append(replace(each, input=shown))
    complete.reverse()
    size = 0
    for place, each in enumerate(complete, start=1):
        size += len((each.input or "").encode())
        if size >= most_bytes:
            return complete[:place], True
    return complete, False
