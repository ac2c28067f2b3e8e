"""A chunked body: whether it has arrived, told without taking it apart; and too small chunks.

Gunicorn's reader takes ten microseconds for a chunk, however small that is. So who sends a byte in
each would have a processor to himself for a few hundred kilobytes a second.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gunicorn.http.errors import InvalidChunkSize

MANY = 1000
"""Past so many chunks in a body there have to be `LEAST` bytes for each more."""
LEAST = 16
_FOLLOWED = 256
_SIZE = re.compile(rb"[0-9a-fA-F]+")


class Chunks:
    """Goes along a body as it arrives, over each chunk once.

    It takes for whole only what gunicorn's reader takes, or refuses, without waiting for more: a
    thread that reads such a body waits for nobody. Nor does it take long: past `_FOLLOWED` chunks
    it takes no body for whole.
    """

    def __init__(self) -> None:
        self.whole = False
        self._followed = 0
        self._at = 0
        self._in_trailers = False

    def are_whole(self, data: bytes) -> bool:
        """Whether they end within `data`, which is all that has arrived of them.

        False too where they are wrong: whoever reads them finds that.
        """
        while not self._in_trailers:
            if self._followed > _FOLLOWED:
                return False
            line_end = data.find(b"\r\n", self._at)
            if line_end < 0:
                return False
            size, extended, _ = data[self._at : line_end].partition(b";")
            if extended:
                size = size.rstrip(b" \t")
            if _SIZE.fullmatch(size) is None:
                return False
            length = int(size, 16)
            chunk_end = line_end + 2 + length
            if length and data[chunk_end : chunk_end + 2] != b"\r\n":
                return False
            self._at = chunk_end + 2 if length else chunk_end
            self._in_trailers = not length
            self._followed += 1
        self.whole = data.startswith(b"\r\n", self._at) or data.find(b"\r\n\r\n", self._at) >= 0
        return self.whole


def sizable(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces of a body, of which each is a chunk or what arrived of one.

    Raises InvalidChunkSize where they are too small.
    """
    size = 0
    for number, piece in enumerate(pieces):
        size += len(piece)
        if size < (number - MANY) * LEAST:
            raise InvalidChunkSize(b"so many of less than %d bytes" % LEAST)
        yield piece
