"""Items out of a file, or of what was pasted, whatever it is called: by what is in it.

A file is plain or gzip; NDJSON, CSV, or a JSON array. Names lie, so they only decide where the
beginning does not.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from app.core.computing import aside
from app.core.errors import FieldError, Invalid, TooLarge
from app.core.settings import Settings
from app.formats import Limits, Spool, read_csv, read_ndjson
from app.web.bodies import Gunzip
from app.web.jsonbody import spool_array

_CHUNK = 256 * 1024
_BEGINNING = 4096
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_BLANKS = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class Kind:
    """How items stand in a file. `lines_before`: the first item; None where they are not lines."""

    name: str
    lines_before: int | None


NDJSON, CSV, ARRAY = Kind("NDJSON", 0), Kind("CSV", 1), Kind("a JSON array", None)


def kind_of(beginning: bytes, filename: str) -> Kind:
    """What a file is that begins so, and has that name."""
    first = beginning.removeprefix(_BOM).lstrip(_BLANKS)[:1]
    name = filename.lower().removesuffix(".gz")
    if first == b"{":
        return NDJSON
    if name.endswith(".csv"):
        return CSV
    if first == b"[":
        return ARRAY
    return NDJSON if name.endswith((".ndjson", ".jsonl", ".json")) else CSV


def fill(spool: Spool, source: BinaryIO, filename: str, settings: Settings) -> int | None:
    """Write the items of `source` to `spool`, and read it to its end.

    The number of the first item's line, where each item has a line of its own and no line is
    without one; else None, as then an item's index does not say where it is. Raises Malformed with
    the number of the line at fault, TooLarge with the index of the item, and Invalid where there
    is no item.
    """
    text = _Text(source, settings.max_stream_bytes)
    stream = io.BufferedReader(text, _CHUNK)
    beginning = stream.peek(_BEGINNING)[:_BEGINNING]
    if not beginning:
        raise _nothing("It is empty.")
    kind = kind_of(beginning, filename)
    readable = cast(BinaryIO, stream)
    if kind is ARRAY:
        limits = Limits(settings.max_items_json, settings.max_item_bytes)
        spool_array(_without_mark(readable), spool, limits)
    else:
        limits = Limits(
            settings.max_items_stream, settings.max_item_bytes, settings.max_stream_bytes
        )
        read = read_csv if kind is CSV else read_ndjson
        spool.fill(read(readable, limits))
    if not spool.count:
        raise _nothing("There is a header, but no row." if kind is CSV else "There is no item.")
    if kind.lines_before is None or text.lines != spool.count + kind.lines_before:
        return None
    return kind.lines_before + 1


class _Text(io.RawIOBase):
    """The bytes of `source`, unpacked where they are packed, and counted. `most`: of these.

    `lines`: how many there were, once it has been read to its end.
    """

    def __init__(self, source: BinaryIO, most: int) -> None:
        super().__init__()
        self._source = source
        self._most = most
        self._gunzip: Gunzip | None = None
        self._begun = False
        self._given = 0
        self._last = b"\n"
        self._breaks = 0

    @property
    def lines(self) -> int:
        return self._breaks + (self._last != b"\n")

    def readable(self) -> bool:
        """True: io.RawIOBase asks before it reads."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer`; 0 at the end."""
        # Waiting for the peer, and zlib, hold up nobody who computes.
        with aside():
            data = self._next(len(buffer))
        buffer[: len(data)] = data
        self._given += len(data)
        if self._given > self._most:
            message = f"It has more than {self._most} bytes, as it is or unpacked."
            raise TooLarge(message, errors=[FieldError("/items", message)])
        if data:
            self._breaks += data.count(b"\n")
            self._last = data[-1:]
        return len(data)

    def _next(self, room: int) -> bytes:
        if not self._begun:
            self._begun = True
            beginning = self._source.read(_CHUNK)
            if beginning.startswith(_GZIP):
                self._gunzip = Gunzip("It begins like gzip, and is not.")
                self._gunzip.feed(beginning)
            else:
                self._source = cast(BinaryIO, _Chained(beginning, self._source))
        if self._gunzip is None:
            return self._source.read(room)
        while True:
            if self._gunzip.needs_input:
                more = self._source.read(_CHUNK)
                if not more:
                    self._gunzip.finish()
                    return b""
                self._gunzip.feed(more)
            if data := self._gunzip.give(room):
                return data


class _Chained:
    """What was read of a stream, and then the rest of it."""

    def __init__(self, beginning: bytes, rest: BinaryIO) -> None:
        self._beginning = io.BytesIO(beginning)
        self._rest = rest

    def read(self, size: int) -> bytes:
        return self._beginning.read(size) or self._rest.read(size)


def _without_mark(stream: BinaryIO) -> BinaryIO:
    """Without the mark that says that it is UTF-8, which is no JSON."""
    if cast(io.BufferedReader, stream).peek(3)[:3] == _BOM:
        stream.read(3)
    return stream


def _nothing(message: str) -> Invalid:
    return Invalid(message, errors=[FieldError("/items", message)])
