"""A form with a file in it, read as it arrives.

What stands in front of the file are fields, of which there is little; the file is a stream, of
which no more than a piece is held; behind it there may be fields again.
"""

from __future__ import annotations

import io
from typing import Any, BinaryIO, cast

from werkzeug.exceptions import HTTPException
from werkzeug.sansio.multipart import (
    Data,
    Epilogue,
    Event,
    Field,
    File,
    MultipartDecoder,
    NeedData,
    Preamble,
)

from app.core.errors import FieldError, Malformed, TooLarge

MOST_TYPED = 1024 * 1024
"""Bytes of all fields together."""
_MOST_PARTS = 100
_CHUNK = 64 * 1024
_UNREADABLE = "The form cannot be read."


class Upload:
    """The form in `body`. `fields`: those in front of the file, and after `finish` all.

    `filename`: None where no file was chosen. `file`: its bytes, which are to be read to their end
    before `finish`. Raises Malformed, and TooLarge for too much in fields.
    """

    def __init__(self, body: BinaryIO, boundary: bytes) -> None:
        self._body = body
        self._half = b"--" + boundary + b"-"
        self._tail = b""
        self._decoder = MultipartDecoder(boundary, MOST_TYPED, max_parts=_MOST_PARTS)
        self._room = MOST_TYPED
        self._begun: Data | None = None
        self.fields: dict[str, str] = {}
        self.filename: str | None = None
        self.file = cast(BinaryIO, io.BufferedReader(_Part(self), _CHUNK))
        self._read_fields()

    def finish(self) -> None:
        """Read the fields behind the file."""
        if self.filename is None:
            return
        while self.next_data():
            pass
        self._read_fields()

    def next_data(self) -> bytes:
        """The next bytes of the file; none at its end."""
        while self._begun is not None:
            found = self._begun
            following = self._event() if found.more_data else None
            self._begun = following if isinstance(following, Data) else None
            if found.data:
                return found.data
        return b""

    def _read_fields(self) -> None:
        while not isinstance(event := self._event(), Epilogue):
            if isinstance(event, Field):
                self.fields[event.name] = self._text()
            elif isinstance(event, File):
                first = self._data()
                if not event.filename and not first.data and not first.more_data:
                    continue  # none was chosen
                if self.filename is not None:
                    raise Malformed("There is more than one file: choose one.")
                self.filename, self._begun = event.filename or "", first
                return

    def _text(self) -> str:
        pieces = []
        while True:
            found = self._data()
            self._room -= len(found.data)
            if self._room < 0:
                message = f"Must be at most {MOST_TYPED:,} bytes; choose a file for more."
                raise TooLarge(message, errors=[FieldError("/items", message)])
            pieces.append(found.data)
            if not found.more_data:
                break
        try:
            return b"".join(pieces).decode()
        except UnicodeDecodeError as error:
            raise Malformed(_UNREADABLE) from error

    def _data(self) -> Data:
        found = self._event()
        if not isinstance(found, Data):
            raise Malformed(_UNREADABLE)
        return found

    def _event(self) -> Event:
        try:
            while isinstance(event := self._decoder.next_event(), NeedData | Preamble):
                if isinstance(event, NeedData):
                    self._decoder.receive_data(self._more() or None)
        except (ValueError, HTTPException) as error:
            raise Malformed(_UNREADABLE) from error
        return event

    def _more(self) -> bytes:
        """The next bytes of the form, which do not end in the middle of its end.

        The decoder would take the line break before that for the part's.
        """
        data = self._body.read(_CHUNK)
        if (self._tail + data).endswith(self._half):
            data += self._body.read(1)
        self._tail = (self._tail + data)[-len(self._half) :]
        return data


class _Part(io.RawIOBase):
    def __init__(self, upload: Upload) -> None:
        super().__init__()
        self._upload = upload
        self._ready = b""

    def readable(self) -> bool:
        """True: io.RawIOBase asks before it reads."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` with what has arrived; 0 at the end."""
        if not self._ready:
            self._ready = self._upload.next_data()
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count
