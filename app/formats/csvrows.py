"""CSV as spreadsheets write it: a header row, then an item a row.

The cells become the fields of an object, all of them text; an empty cell is a field left out. What
the text means is the operation's schema to say.

Spreadsheets write a rectangle: columns without a name and cells without a value at the end of a row
are dropped, a row that ends early lacks its last fields, and one without any value is none. A first
line `sep=;` names another separator than the comma.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from app.core.computing import breathe
from app.core.errors import FieldError, Invalid, Malformed
from app.formats.limits import BlankLines, Limits, bad_line
from app.formats.magic import not_text

_encode = msgspec.json.encode
# Quotes are doubled and rows may be spread over lines: a row may be longer than its item.
_ROW_FACTOR = 2
_SLACK = 4096
MOST_COLUMNS = 1000
_SEPARATORS = {"tabs": "\t", "semicolons": ";", "bars": "|"}


def read_csv(stream: BinaryIO, limits: Limits) -> Iterator[bytes]:
    """The items of `stream`, each as JSON text on one line. Blank lines are passed over.

    Raises Malformed, Invalid for more columns than `MOST_COLUMNS`, and TooLarge.
    """
    lines = _Lines(stream, limits)
    # The module's own bound is 128 KiB; it is one for the whole process.
    csv.field_size_limit(max(csv.field_size_limit(), lines.longest))
    separator = lines.separator()
    rows = csv.reader(lines, strict=True, delimiter=separator or ",")
    header: list[str] | None = None
    blank = BlankLines()
    # Each item repeats the names of its columns, so that a small body can make very much of it.
    size = 0
    while True:
        began = lines.number + 1
        lines.begin_row()
        try:
            row = next(rows)
        except StopIteration:
            break
        except csv.Error as error:
            raise bad_line(began, lines.index, _said(error)) from error
        if not any(row):
            blank.pass_over(began)
            continue
        if header is None:
            header = _header(row, began, separator)
            continue
        limits.check_count(lines.index)
        if len(row) > len(header) and any(row[len(header) :]):
            raise bad_line(
                began,
                lines.index,
                f"Has a value beyond the {len(header)} columns that the header names.",
            )
        text = _encode({name: cell for name, cell in zip(header, row, strict=False) if cell})
        limits.check_size(lines.index, len(text))
        size += len(text)
        limits.check_all(lines.index, size)
        yield text
        lines.index += 1
    if header is None:
        raise Malformed("Line 1: There is no header row.")


class _Lines:
    """The lines of a stream as text. A row of too many characters is refused."""

    def __init__(self, stream: BinaryIO, limits: Limits) -> None:
        self._stream = stream
        self._limits = limits
        self.longest = _ROW_FACTOR * limits.item_bytes + _SLACK
        self.number = 0
        self.index = 0
        self._row = 0
        self._first: str | None = None

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._first is not None:
            text, self._first, self.number = self._first, None, 1
            return text
        # A row may have very many of them.
        breathe()
        line = self._stream.readline(self.longest + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self._row += len(line)
        if self._row > self.longest:
            self._limits.check_size(self.index, self._row)
        try:
            # A spreadsheet's file begins with a mark that says it is UTF-8.
            text = line.decode("utf-8-sig" if self.number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            said = not_text(line) if self.number == 1 else None
            hint = "Not UTF-8; a spreadsheet saves it as such as `CSV UTF-8`."
            raise bad_line(self.number, self.index, said or hint) from error
        if "\x00" in text:
            said = not_text(line) if self.number == 1 else None
            raise bad_line(self.number, self.index, said or "Contains a NUL character.")
        return text

    def separator(self) -> str | None:
        """The separator that the first line names, which is taken then; None where it does not."""
        self._first = next(self, None)
        if self._first is None:
            return None
        said = self._first.strip("\r\n").strip('"')
        if said[:4].lower() != "sep=":
            self.number = 0
            return None
        self._first = None
        if said[4:] not in (",", ";", "\t"):
            raise Malformed("Line 1: `sep=` may name a comma, a semicolon or a tab.")
        return said[4:]

    def begin_row(self) -> None:
        """The next line begins a row."""
        self._row = 0


def _header(row: list[str], line: int, separator: str | None) -> list[str]:
    """The names of the columns. Raises Malformed where they cannot be that, Invalid for too many.

    `separator`: the one that the file names itself.
    """
    names = [name.strip() for name in row]
    while not names[-1]:
        del names[-1]
        if not names:
            raise Malformed(f"Line {line}: Column 1 has no name in the header row.")
    if len(names) > MOST_COLUMNS:
        message = f"Has {len(names)} columns; at most {MOST_COLUMNS:,} are taken."
        raise Invalid(f"Line {line}: {message}", errors=[FieldError("/items", message)])
    if len(names) == 1 and separator is None:
        for shown, other in _SEPARATORS.items():
            if other in names[0]:
                named = f" or say `sep={other}` in a line before" if other == ";" else ""
                raise Malformed(
                    f"Line {line}: The columns are separated by {shown}; separate them by commas"
                    f"{named}."
                )
    seen: set[str] = set()
    for number, name in enumerate(names, 1):
        if not name:
            raise Malformed(f"Line {line}: Column {number} has no name in the header row.")
        if name in seen:
            raise Malformed(f"Line {line}: The column {name!r} stands twice in the header row.")
        seen.add(name)
    return names


def _said(error: csv.Error) -> str:
    text = str(error)
    if "new-line character" in text:
        return "A bare carriage return; end lines by LF or CRLF, or quote the cell."
    if "unexpected end of data" in text:
        return "A quoted cell does not end."
    return f"Not CSV: {text}."
