"""The items of a claimed slice, read and validated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from app.db.statements.held_items import held_by
from app.db.statements.items import find_held_indexes, load_items
from app.operations.item_input import WrongInput, read_input
from app.operations.known import KnownOperations
from app.operations.undoable import cannot_be_undone
from handlers import Item, Operation
from handlers.jsonbounds import refusal_of
from workers.engine.claim.claims import ClaimedSlice
from workers.engine.claim.served import InvalidItem, Lacks

# Characters of a slice's input that are held at once; a single item may be longer.
MOST_INPUT = 32 * 1024 * 1024
# Rows fetched at a time from the server, so that little is read beyond what fits.
_STREAMED = {"stream_results": True, "max_row_buffer": 500}


@dataclass(frozen=True, slots=True)
class Loaded:
    """An item of a slice that passed its schema."""

    item: Item
    operation: Operation
    lane: int | None


def load_slice(
    connection: Connection,
    claimed: ClaimedSlice,
    registry: KnownOperations,
    *,
    first: int | None = None,
) -> tuple[list[Loaded], list[InvalidItem], int | None]:
    """The slice's items that are to be done now, in order of index: the valid, and the others.

    Then the index of the first that there was no room for in memory, None where there was for all.
    `first`: begin at that index. Raises SliceWaits where another process has to look at them all.
    """
    valid: list[Loaded] = []
    invalid: list[InvalidItem] = []
    blocked: set[int] = set()
    held = 0
    lacks = Lacks(registry, claimed)
    rows = connection.execute(
        load_items(picked=claimed.picks is not None),
        _from(first, claimed),
        execution_options=_STREAMED,
    )
    for index, own, sent, attempts, lane, put_off in rows:
        if claimed.phase != "validate" and (put_off or lane in blocked):
            if lane is not None:
                blocked.add(lane)
            continue
        if held > MOST_INPUT:
            rows.close()
            return valid, invalid, index
        held += len(sent)
        name = own or claimed.operation
        refusal = refusal_of(sent)
        if refusal is not None:
            invalid.append(InvalidItem(index, name, refusal))
            continue
        operation = registry.own.get(name)
        if operation is None:
            lacking = lacks.item(index, name)
            if lacking is not None:
                invalid.append(lacking)
                if lacking.wait is not None and lane is not None:
                    blocked.add(lane)
            continue
        if claimed.dry_effects and not operation.in_database:
            invalid.append(InvalidItem(index, name, cannot_be_undone(operation.name)))
            continue
        try:
            data, key = read_input(operation, sent)
        except WrongInput as wrong:
            invalid.append(InvalidItem(index, name, wrong.message))
        else:
            valid.append(Loaded(Item(index, key, data, attempts + 1), operation, lane))
    return valid, invalid, None


def pending_from(connection: Connection, claimed: ClaimedSlice, first: int) -> list[int]:
    """The indexes of the slice's items from `first` on that are to be done now."""
    statement = find_held_indexes(picked=claimed.picks is not None)
    return list(connection.execute(statement, _from(first, claimed)).scalars())


def _from(first: int | None, claimed: ClaimedSlice) -> dict[str, Any]:
    these = held_by(claimed)
    return these if first is None else {**these, "first_index": first}
