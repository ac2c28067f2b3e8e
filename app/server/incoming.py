"""What arrives from a peer: collected by the loop until a thread is given, then read by that.

A thread that has to wait for more gives its place at work back meanwhile. A peer that brings less
than `LEAST_BYTES` in `LEAST_WITHIN` seconds of such waiting is given up.
"""

from __future__ import annotations

import io
import select
import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

from gunicorn.http.errors import NoMoreData
from gunicorn.http.unreader import Unreader

from app.core.errors import TooSlow, Unavailable
from app.server.bounds import LEAST_BYTES, LEAST_WITHIN, LONGEST_HEAD
from app.server.chunks import Chunks, sizable

# Gunicorn's reader of chunks copies what it has been given beyond a chunk, once for each chunk: of
# 64 KiB in chunks of a byte that would be a gigabyte.
_PIECE = 2048
_LARGEST_READ = 1024 * 1024
_USUAL_READ = 64 * 1024
_TOO_SLOW = f"Less than {LEAST_BYTES} bytes of the body came in {LEAST_WITHIN:.0f} s."
_STOPPING = "This process is being stopped; another one takes it."
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Incoming(Unreader):
    """The bytes of a connection, for gunicorn's parser and body readers.

    `resting`: a context in which a thread waits without its place at work. `expected`: the peer
    sends the body once it is told to.
    """

    def __init__(self, sock: socket.socket) -> None:
        super().__init__()
        self._socket = sock
        self.resting: Callable[[], AbstractContextManager[None]] = nullcontext
        self.expected = False
        # Whether the peer has ended its side; whether to read what has arrived, and no more.
        self.ended = False
        self.only_arrived = True
        self._stopped = False
        self._in_body = False
        self._chunks = Chunks()
        self._waited = 0.0
        self._came = 0

    def begin(self, data: bytes) -> None:
        """A request's head and what came with it; what the parser leaves of it is the body's."""
        self.buf = io.BytesIO()
        self.buf.write(data)
        self.only_arrived = True
        self.expected = False
        self._in_body = False
        self._waited, self._came = 0.0, 0

    def begin_body(self, reader: Any) -> None:
        """What comes now is read by `reader`, gunicorn's for the body's framing."""
        self._in_body = True
        self._chunks = Chunks()
        if (pieces := getattr(reader, "parser", None)) is not None:
            reader.parser = sizable(pieces)
        # Looked through each time that some of it arrives; and gunicorn would take 800 KiB.
        reader.limit_trailer_section = LONGEST_HEAD

    def stop(self) -> None:
        """Let the thread that reads the body, if one does, raise Unavailable. For the loop."""
        self._stopped = True
        # Who waits for more wakes up.
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RD)

    def drop(self) -> None:
        """Forget what was not read, and whose it was."""
        self.buf = io.BytesIO()
        self.resting = nullcontext

    def feed(self, data: bytes) -> None:
        """More of the body."""
        self.buf.seek(0, io.SEEK_END)
        self.buf.write(data)

    def arrived(self) -> int:
        """Bytes that are here and not read yet."""
        return self.buf.getbuffer().nbytes

    def is_whole(self, length: int | None) -> bool:
        """Whether the body is here, all of it. `length`: its bytes, None where it is chunked."""
        if length is None:
            return self._chunks.are_whole(self.buf.getvalue())
        return self.arrived() >= length

    @property
    def has_followed_chunks(self) -> bool:
        """Whether it was whole by its chunks, which are few."""
        return self._chunks.whole

    def read(self, size: int | None = None, read_ahead: int | None = None) -> bytes:
        """As gunicorn's; of a body, where no size is said, no more than is needed of it."""
        if size is not None or not self._in_body:
            data: bytes = super().read(size, read_ahead)
            return data
        data = self.take_buffered() or self.chunk(read_ahead)
        most = _PIECE if read_ahead is None else read_ahead
        if len(data) > most:
            self.unread(data[most:])
        return data[:most]

    def chunk(self, size_hint: int | None = None) -> bytes:
        """The next bytes; none at the end.

        Raises TooSlow for a peer that is too slow, and Unavailable after `stop`.
        """
        if self.ended:
            return b""
        if self.only_arrived:
            raise NoMoreData
        if self.expected:
            self.expected = False
            self._socket.send(_CONTINUE)
        size = min(max(size_hint or 0, _USUAL_READ), _LARGEST_READ)
        try:
            data = self._socket.recv(size)
        except BlockingIOError:
            with self.resting():
                data = self._wait_for(size)
        if self._stopped:
            raise Unavailable(_STOPPING, retry_after=1)
        self._came += len(data)
        self.ended = not data
        return data

    def _wait_for(self, size: int) -> bytes:
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        while True:
            began = time.monotonic()
            left = max(0.0, LEAST_WITHIN - self._waited)
            ready = poll.poll(left * 1000)
            self._waited += time.monotonic() - began
            if self._waited >= LEAST_WITHIN:
                if self._came < LEAST_BYTES:
                    raise TooSlow(_TOO_SLOW)
                self._waited, self._came = 0.0, 0
            if ready:
                try:
                    return self._socket.recv(size)
                except BlockingIOError:
                    continue
