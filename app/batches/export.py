"""Items as lines: NDJSON, CSV, and NDJSON that can be submitted again."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from app.batches.fields import JsonText, ViewField, shown_fields, values_getter
from app.batches.item_view import ItemView
from app.batches.serializers import item_body
from app.core.jsontext import moment

COLUMNS = tuple(field.json_name for field in shown_fields(ItemView))
Lines = Callable[[Sequence[ItemView]], bytes]
"""Makes whole lines of a page of items."""

# Before what a spreadsheet takes for a formula: where a cell begins, and where one would that is
# separated by semicolons or tabs, as in many countries. Our quotes mean nothing there.
_FORMULA = re.compile(r"^(?=[\t\r\n])|(?:^|(?<=[;\t\r\n]))(?=\"*[=+\-@\uff1d\uff0b\uff0d\uff20])")
_encoder = msgspec.json.Encoder(decimal_format="number")


def ndjson(items: Sequence[ItemView]) -> bytes:
    """An object a line, with the fields of the item list."""
    return b"".join(_one_line(_encoder.encode(item_body(item))) for item in items)


def resubmission(items: Sequence[ItemView]) -> bytes:
    """A line an item, which can be submitted as it is: it names its operation, in an envelope.

    One that is of no operation that is known stands as it was sent.
    """
    return b"".join(_one_line(_resubmitted(item)) for item in items)


def csv_header() -> bytes:
    """The row of column names."""
    return (",".join(COLUMNS) + "\r\n").encode()


def csv_rows(*, guarded: bool = False) -> Lines:
    """A row an item, with `result` and `input` as JSON.

    Cells are written as they are, so that reading them gives back what is stored. `guarded`: for
    people who open it in a spreadsheet, text that it would take for a formula gets an apostrophe.
    """
    cells = values_getter(ItemView, _guarded_cell if guarded else _cell)

    def rows(items: Sequence[ItemView]) -> bytes:
        text = io.StringIO()
        csv.writer(text).writerows(map(cells, items))
        return text.getvalue().encode()

    return rows


def _cell(field: ViewField) -> Callable[[Any], object] | None:
    """What makes a cell of the field's values; None where the writer does."""
    return moment if field.type is datetime else None


def _guarded_cell(field: ViewField) -> Callable[[Any], object] | None:
    """The same, with a guard where a caller or a handler may have written what is in it."""
    is_text = field.type in (str, JsonText) and field.declared.choices is None
    return _guard if is_text else _cell(field)


def _resubmitted(item: ItemView) -> bytes:
    data = item.input.encode()
    if item.operation is None:
        return data
    return _encoder.encode({"operation": item.operation, "data": msgspec.Raw(data)})


def _one_line(text: bytes) -> bytes:
    """JSON text on one line: a line break in it can only stand between its tokens."""
    if b"\n" in text or b"\r" in text:
        text = text.replace(b"\n", b" ").replace(b"\r", b" ")
    return text + b"\n"


def _guard(cell: str | None) -> str | None:
    return _FORMULA.sub("'", cell) if cell else cell
