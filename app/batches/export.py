"""Items as lines: NDJSON, CSV, and NDJSON that can be submitted again."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence

import msgspec

from app.batches.queries import ItemView
from app.batches.serializers import item_body
from app.core.jsontext import moment

COLUMNS = (
    "index",
    "key",
    "operation",
    "status",
    "attempts",
    "code",
    "message",
    "result",
    "input",
    "createdAt",
    "startedAt",
    "finishedAt",
)
Lines = Callable[[Sequence[ItemView]], bytes]
"""Items as whole lines."""

# With one of these at its beginning a spreadsheet takes a cell for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_encoder = msgspec.json.Encoder(decimal_format="number")


def ndjson(items: Sequence[ItemView]) -> bytes:
    """An object a line, with the fields of the item list."""
    return b"".join(_one_line(_encoder.encode(item_body(item))) for item in items)


def resubmission(*, mixed: bool) -> Lines:
    """The items' input, a line each, as it was submitted.

    `mixed`: the batch's items name their operations, and so do the lines, in an envelope.
    """
    return _enveloped if mixed else _inputs


def csv_header() -> bytes:
    """The row of column names."""
    return (",".join(COLUMNS) + "\r\n").encode()


def csv_rows(*, guarded: bool = False) -> Lines:
    """A row an item, with `result` and `input` as JSON.

    Cells are written as they are, so that reading them gives back what is stored. `guarded`: for
    people who open it in a spreadsheet, text that it would take for a formula gets an apostrophe.
    """
    clean = _guard if guarded else _as_it_is

    def rows(items: Sequence[ItemView]) -> bytes:
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerows(
            (
                item.index,
                clean(item.key),
                clean(item.operation),
                item.status,
                item.attempts,
                item.code,
                clean(item.message),
                clean(item.result),
                clean(item.input),
                moment(item.created_at),
                moment(item.started_at),
                moment(item.finished_at),
            )
            for item in items
        )
        return text.getvalue().encode()

    return rows


def _inputs(items: Sequence[ItemView]) -> bytes:
    return b"".join(_one_line(item.input.encode()) for item in items)


def _enveloped(items: Sequence[ItemView]) -> bytes:
    return b"".join(
        _one_line(
            _encoder.encode({"operation": item.operation, "data": msgspec.Raw(item.input.encode())})
        )
        for item in items
    )


def _one_line(text: bytes) -> bytes:
    """JSON text on one line: a line break in it can only stand between its tokens."""
    if b"\n" in text or b"\r" in text:
        text = text.replace(b"\n", b" ").replace(b"\r", b" ")
    return text + b"\n"


def _as_it_is(cell: str | None) -> str | None:
    return cell


def _guard(cell: str | None) -> str | None:
    return f"'{cell}" if cell and cell.startswith(_FORMULA) else cell
