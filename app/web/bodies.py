"""A request's body, read as it arrives: its type, its encoding, its limits, and its end.

Nothing here holds more than a chunk, but for `read_all`. What is raised: UnsupportedType for a
type or encoding that is not taken, TooLarge for a body that grows past its limit (also while it
is being decompressed), Malformed for one that is cut short or not what its encoding says.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from typing import Any, Protocol

from flask import Request
from werkzeug.exceptions import HTTPException

from app.core.computing import aside
from app.core.errors import Malformed, TooLarge, UnsupportedType
from app.web.still_good import require_good, still_good

JSON = "application/json"
NDJSON = "application/x-ndjson"
CSV = "text/csv"

_CHUNK = 256 * 1024
# Compressed bytes that are looked at in one go. Of a stream of empty members zlib copies the rest
# behind each of them.
_INFLATED = 8 * 1024
_GZIP = 16 + zlib.MAX_WBITS
_CUT_SHORT = "The body is cut short."


class Digest(Protocol):
    """What computes a digest of the bytes as they were sent; one of hashlib's."""

    def update(self, data: bytes, /) -> None:
        """Add `data`."""


def media_type(request: Request, taken: tuple[str, ...]) -> str:
    """The request's media type. Raises UnsupportedType unless it is one of `taken`, in UTF-8."""
    found = request.mimetype
    listed = ", ".join(taken)
    if found not in taken:
        said = f"{found!r} is not taken here" if found else "The request has no Content-Type"
        raise UnsupportedType(f"{said}; send one of {listed}.")
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedType(f"The charset {charset!r} is not taken; send UTF-8.")
    return found


class Body(io.RawIOBase):
    """The decompressed bytes of a request's body, as a stream.

    `most`: bytes after decompression. `digest` takes in what was sent, as it was sent; `tick` is
    called for each chunk that arrives. A body that is long in coming ends with the key that its
    request was sent by (Unauthenticated), so that nothing is done by one that was revoked.
    """

    def __init__(
        self,
        request: Request,
        most: int,
        *,
        digest: Digest | None = None,
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in ("identity", "", "gzip", "x-gzip"):
            raise UnsupportedType(f"The encoding {encoding!r} is not taken; send gzip, or plain.")
        self._gunzip = Gunzip() if "gzip" in encoding else None
        if self._gunzip is None and (request.content_length or 0) > most:
            raise _too_large(most)
        self._stream = request.stream
        self._expected = request.content_length
        self._received = 0
        self._most = most
        self._given = 0
        self._digest = digest
        self._tick = tick
        self._is_good = still_good()
        self._ready = b""
        self._at_end = False

    def readable(self) -> bool:
        """True: io.RawIOBase asks before it reads."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` with what has arrived, and return the number of bytes; 0 at the end."""
        if not self._ready:
            # Waiting for the peer, the database (`tick`), and zlib hold up nobody who computes.
            with aside():
                while not self._ready and not self._at_end:
                    self._ready = self._next(len(buffer))
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        self._given += count
        if self._given > self._most:
            raise _too_large(self._most)
        return count

    def read_all(self) -> bytes:
        """The whole body."""
        return b"".join(iter(lambda: self.read(_CHUNK), b""))

    def drain(self) -> None:
        """Read what was sent to its end, so that `digest` has all of it."""
        while self._receive():
            if self._received > self._most:
                raise _too_large(self._most)

    def _next(self, room: int) -> bytes:
        if self._gunzip is None:
            data = self._receive()
            self._at_end = not data
            return data
        if self._gunzip.needs_input:
            data = self._receive()
            if not data:
                self._at_end = True
                self._gunzip.finish()
                return b""
            self._gunzip.feed(data)
        return self._gunzip.give(room)

    def _receive(self) -> bytes:
        """The next bytes as they were sent; none at the end."""
        data = self._read_from_client()
        self._tick()
        require_good(self._is_good)
        self._received += len(data)
        if self._digest is not None:
            self._digest.update(data)
        if not data and self._expected is not None and self._received < self._expected:
            raise Malformed(
                f"{_CUT_SHORT} {self._received} bytes came of the {self._expected} announced."
            )
        return data

    def _read_from_client(self) -> bytes:
        try:
            data: bytes = self._stream.read(_CHUNK)
        except (OSError, HTTPException) as error:
            # The client has gone, the connection was reset, or a chunk has no end.
            raise Malformed(_CUT_SHORT) from error
        return data


class Gunzip:
    """Decompresses gzip, member by member, never returning more than is asked for.

    `wrong`: what is said (Malformed) where it is not gzip.
    """

    def __init__(
        self, wrong: str = "The body is not gzip, though its Content-Encoding says so."
    ) -> None:
        self._wrong = wrong
        self._member = zlib.decompressobj(_GZIP)
        self._fed = memoryview(b"")
        self._input = b""
        self._begun = False

    @property
    def needs_input(self) -> bool:
        """Whether `feed` is to be called next."""
        return not self._input and not self._fed

    def feed(self, data: bytes) -> None:
        """Take the next bytes as they were sent."""
        self._fed = memoryview(data)

    def give(self, room: int) -> bytes:
        """At most `room` bytes more; there may be none."""
        if not self._input:
            self._input = bytes(self._fed[:_INFLATED])
            self._fed = self._fed[_INFLATED:]
        try:
            data = self._member.decompress(self._input, room)
        except zlib.error as error:
            raise Malformed(self._wrong) from error
        self._begun = True
        if self._member.eof:
            self._input = self._member.unused_data
            self._member = zlib.decompressobj(_GZIP)
            self._begun = False
        else:
            # What is already inside comes out with the next input: a member's last bytes are a
            # checksum, which is not taken in before all is given out.
            self._input = self._member.unconsumed_tail
        return data

    def finish(self) -> None:
        """There is no more to feed. Raises Malformed where something is missing."""
        if self._begun:
            raise Malformed(_CUT_SHORT)


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"The body is larger than {most} bytes.")
