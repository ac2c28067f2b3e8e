"""What is sent to a peer: written as far as it is taken, and kept beyond that.

Gunicorn's Response writes to it as to a socket. Nothing here waits. A connection belongs to one
thread at a time, the loop's or the one that answers, and so does this.
"""

from __future__ import annotations

import socket
import time
from collections import deque

_MOST_PIECES = 64
_JOINED = 64 * 1024


class Outgoing:
    """`held`: bytes that were not taken yet. `moved_at`: when some were last, monotonic seconds."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._pieces: deque[bytes | memoryview] = deque()
        self.held = 0
        self.moved_at = 0.0

    def sendall(self, data: bytes) -> None:
        """Keep `data` to be sent with the next `flush`."""
        if data:
            self._pieces.append(data)
            self.held += len(data)

    def send(self, data: bytes) -> int:
        """The same, at once."""
        self.sendall(data)
        self.flush()
        return len(data)

    def flush(self) -> bool:
        """Send what the peer takes now; whether that was all. Raises OSError where it has gone."""
        while self.held:
            try:
                sent = self._send()
            except BlockingIOError:
                return False
            self.moved_at = time.monotonic()
            self.held -= sent
            self._drop(sent)
        return True

    def wait_from_now(self) -> None:
        """The peer's time to take something begins."""
        self.moved_at = time.monotonic()

    def _send(self) -> int:
        if len(self._pieces) == 1:
            return self._socket.send(self._pieces[0])
        if self.held <= _JOINED:
            return self._socket.send(b"".join(self._pieces))
        return self._socket.sendmsg([self._pieces[i] for i in range(self._some())])

    def _some(self) -> int:
        return min(len(self._pieces), _MOST_PIECES)

    def _drop(self, count: int) -> None:
        while count:
            first = self._pieces[0]
            if count < len(first):
                self._pieces[0] = memoryview(first)[count:]
                return
            count -= len(first)
            self._pieces.popleft()

    def drop(self) -> None:
        """Forget what was not taken."""
        self._pieces.clear()
        self.held = 0

    # What applications do with `gunicorn.socket`.

    def fileno(self) -> int:
        """The socket's."""
        return self._socket.fileno()

    def shutdown(self, how: int) -> None:
        """Shut the connection down."""
        self._socket.shutdown(how)

    def settimeout(self, _: float | None) -> None:
        """Nothing: times are kept by the loop."""
