"""The items of a file, as a submission of it would have them: for what is looked at offline."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from typing import BinaryIO, NoReturn, cast

import msgspec

from app.core.errors import BatchlineError, Malformed, TooLarge
from app.core.settings import Settings
from app.formats import Limits, read_csv, read_ndjson
from app.formats.jsonstream import JsonStream
from app.formats.raw_item import RawItem
from batchline.client.errors import BadFile
from batchline.client.submission import File


class ItemFile:
    """A file of items. `operation`: what a JSON request in it names, once its items are read."""

    def __init__(self, file: File, settings: Settings) -> None:
        self._file = file
        self._settings = settings
        self.operation: str | None = None

    def items(self) -> Iterator[RawItem]:
        """The items, streamed but for JSON. Raises BadFile with what is wrong in the file."""
        path = self._file.path
        if path is None:
            raise BadFile("name a file")
        try:
            with ExitStack() as stack:
                stream: BinaryIO = stack.enter_context(path.open("rb"))
                if self._file.gzipped:
                    stream = cast(BinaryIO, stack.enter_context(gzip.open(stream)))
                for text in self._texts(stream):
                    yield RawItem(text.decode())
        except BatchlineError as error:
            raise BadFile(f"{self._file.name}: {error.detail}") from error
        except (OSError, EOFError, zlib.error) as error:
            raise BadFile(f"{self._file.name}: cannot be read: {error}") from error

    def _texts(self, stream: BinaryIO) -> Iterator[bytes]:
        settings = self._settings
        limits = Limits(settings.max_items_stream, settings.max_item_bytes)
        if self._file.format == "csv":
            return read_csv(stream, limits)
        if self._file.format == "ndjson":
            return read_ndjson(stream, limits)
        return self._json(stream, Limits(settings.max_items_json, settings.max_item_bytes))

    def _json(self, stream: BinaryIO, limits: Limits) -> Iterator[bytes]:
        """An array, or a whole request, of which only `operation` and `items` matter here."""
        json = JsonStream(stream)
        if json.peek() == b"[":
            yield from _entries(json, limits)
            json.end()
            return
        found = False
        later: list[bytes] = []
        for name in json.members():
            if name == "items":
                found = True
                later = list(_entries(json, limits))
            else:
                value = json.value(limits.item_bytes, _too_long)
                if name == "operation":
                    self.operation = _text(value)
        json.end()
        if not found:
            raise Malformed("Neither an array of items nor a request with items.")
        yield from later


def _entries(json: JsonStream, limits: Limits) -> Iterator[bytes]:
    def over(index: int, size: int) -> NoReturn:
        limits.check_size(index, size)
        raise TooLarge(f"Item {index} is too large.")

    for index, text in enumerate(json.entries(limits.item_bytes, over)):
        limits.check_count(index)
        yield text


def _too_long(size: int) -> NoReturn:
    raise TooLarge(f"A field of the request has {size:,} bytes.")


def _text(value: bytes) -> str | None:
    try:
        return msgspec.json.decode(value, type=str | None)
    except msgspec.DecodeError as error:
        raise Malformed("`operation` is no text.") from error
