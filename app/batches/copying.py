"""Items into Postgres by COPY, from a stream, in constant memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection

from app.core.computing import alone
from app.db import cursor_of
from app.db.statements.items import COPY_ITEMS

# Characters of rows that are made at a time; the last row may go beyond.
_CHUNK = 1 << 17


# Tuples, since there are millions of them: a frozen dataclass takes three times as long to make.
class ItemRow(NamedTuple):
    """What is stored of an item at first."""

    text: str
    key: str | None
    operation: str | None


def copy_items(
    connection: Connection, batch_id: UUID, rows: Iterable[ItemRow], *, first_index: int = 0
) -> int:
    """COPY `rows` in, numbered from `first_index`; how many there were.

    An exception from `rows` aborts the COPY and comes out as it is.
    """
    source = _CopySource(str(batch_id), rows, first_index)
    with cursor_of(connection) as cursor:
        try:
            cursor.copy_expert(COPY_ITEMS, source, size=1 << 16)
        except Exception:
            # psycopg2 wraps what the source raised; the original is what the caller wants.
            if source.error is not None:
                raise source.error from None
            raise
    return source.index - first_index


class _CopySource:
    """The file that COPY reads: rows in text format, made as they are asked for."""

    def __init__(self, batch_id: str, rows: Iterable[ItemRow], first_index: int) -> None:
        self.index = first_index
        self.error: Exception | None = None
        self._batch_id = batch_id
        self._rows = iter(rows)
        self._pending = b""
        self._read = 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most `size`; none at the end."""
        if self._read >= len(self._pending):
            try:
                with alone():
                    self._pending = "".join(self._lines()).encode()
            except Exception as error:
                self.error = error
                raise
            self._read = 0
        end = len(self._pending) if size < 0 else self._read + size
        chunk = self._pending[self._read : end]
        self._read += len(chunk)
        return chunk

    def _lines(self) -> Iterator[str]:
        batch_id = self._batch_id
        room = _CHUNK
        for row in self._rows:
            key = r"\N" if row.key is None else escape(row.key)
            operation = r"\N" if row.operation is None else escape(row.operation)
            line = f"{batch_id}\t{self.index}\t{key}\t{operation}\t{escape(row.text)}\n"
            yield line
            self.index += 1
            room -= len(line)
            if room <= 0:
                return


def escape(text: str) -> str:
    """`text` as a field of COPY's text format."""
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if not text.isprintable():
        text = text.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return text


def storable(value: Any) -> bool:
    """Whether Postgres can hold this text: no NUL, no lone surrogate."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in value
