"""The items of a claimed slice, read and validated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from marshmallow import ValidationError
from sqlalchemy import Connection, text

from app.core.jsontext import loads
from handlers import Item, Operation, Registry
from workers.engine.claim.claims import ClaimedSlice

# So much of a slice's input (in characters) is held at once; one item may be more by itself.
MOST_INPUT = 32 * 1024 * 1024
# Read as it is used, some rows at a time, so that no more than that is read.
_STREAMED = {"stream_results": True, "max_row_buffer": 500}
# `later`: a slice that is run a second time put it off in the first.
_COLUMNS = """
    index, operation, input::text, attempts, lane, coalesce(due_at > now(), false) AS later
"""
_RANGE = f"""
    SELECT {_COLUMNS} FROM items
    WHERE batch_id = :batch_id AND index BETWEEN :first AND :last AND status = 'PENDING'
"""
_FIRST_PASS = text(f"{_RANGE} AND due_at IS NULL ORDER BY index")
_ALL = text(f"{_RANGE} ORDER BY index")
_PICKS = text(f"{_RANGE} AND index = ANY(:picks) ORDER BY index")
_INDEXES = text(
    """
    SELECT index FROM items
    WHERE batch_id = :batch_id AND index BETWEEN :first AND :last AND status = 'PENDING'
      AND CASE WHEN CAST(:picks AS integer[]) IS NULL THEN due_at IS NULL
               ELSE index = ANY(CAST(:picks AS integer[])) AND due_at <= now() END
    ORDER BY index
    """
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """An item of a slice that passed its schema."""

    item: Item
    operation: Operation
    lane: int | None


@dataclass(frozen=True, slots=True)
class InvalidItem:
    """An item that did not, and why: the message names each field at fault."""

    index: int
    message: str


def load_slice(
    connection: Connection, claimed: ClaimedSlice, registry: Registry, *, first: int | None = None
) -> tuple[list[Loaded], list[InvalidItem], int | None]:
    """The slice's items that are to be done now, in order of index: the valid, and the others.

    Then the index of the first that there was no room for in memory, None where there was for all.
    `first`: begin at that index.
    """
    valid: list[Loaded] = []
    invalid: list[InvalidItem] = []
    blocked: set[int] = set()
    held = 0
    rows = connection.execute(
        _statement(claimed), _parameters(claimed, first), execution_options=_STREAMED
    )
    for index, own, sent, attempts, lane, later in rows:
        if claimed.phase != "validate" and (later or lane in blocked):
            if lane is not None:
                blocked.add(lane)
            continue
        if held > MOST_INPUT:
            rows.close()
            return valid, invalid, index
        held += len(sent)
        operation = registry.get(own or claimed.operation)
        if operation is None:
            invalid.append(InvalidItem(index, f"Unknown operation {own or claimed.operation!r}."))
            continue
        try:
            data, key = operation.load_keyed(loads(sent))
        except ValidationError as error:
            invalid.append(InvalidItem(index, describe(error)))
        except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
            invalid.append(InvalidItem(index, f"Cannot be read: {error}"))
        except Exception as error:  # a schema's own code may raise anything
            invalid.append(InvalidItem(index, f"Cannot be checked: {type(error).__name__}"))
        else:
            valid.append(Loaded(Item(index, key, data, attempts + 1), operation, lane))
    return valid, invalid, None


def pending_from(connection: Connection, claimed: ClaimedSlice, first: int) -> list[int]:
    """The indexes of the slice's items from `first` on that are to be done now."""
    rows = connection.execute(_INDEXES, {**_parameters(claimed, first), "picks": claimed.picks})
    return list(rows.scalars())


def _statement(claimed: ClaimedSlice) -> Any:
    if claimed.picks is not None:
        return _PICKS
    return _ALL if claimed.phase == "validate" else _FIRST_PASS


def _parameters(claimed: ClaimedSlice, first: int | None) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "batch_id": claimed.batch_id,
        "first": claimed.first_index if first is None else first,
        "last": claimed.last_index,
    }
    if claimed.picks is not None:
        parameters["picks"] = claimed.picks
    return parameters


def describe(error: ValidationError) -> str:
    """marshmallow's messages in one line: `price: Must be a number.; units: Unknown field.`"""
    return "; ".join(_lines(error.normalized_messages(), ""))


def _lines(messages: Any, path: str) -> list[str]:
    if isinstance(messages, dict):
        return [
            line
            for name, inner in messages.items()
            for line in _lines(inner, path if name == "_schema" else f"{path}.{name}".lstrip("."))
        ]
    text_ = " ".join(map(str, messages)) if isinstance(messages, list) else str(messages)
    return [f"{path}: {text_}" if path else text_]
