"""A receiver that takes connections and never answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_BACKLOG = 1024
# Seconds between two looks whether it was closed.
_LOOK = 0.1


class Silent:
    """`url`: where it listens, on 127.0.0.1. `taken`: connections so far; all are kept open."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
        self._listening.settimeout(_LOOK)
        self._closed = threading.Event()
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/"
        self.taken: list[socket.socket] = []
        self._thread = threading.Thread(target=self._take)
        self._thread.start()

    def close(self) -> None:
        """Listen no more, and end what was taken."""
        self._closed.set()
        self._thread.join()
        self._listening.close()
        for connection in self.taken:
            connection.close()

    def _take(self) -> None:
        while not self._closed.is_set():
            with suppress(TimeoutError):
                self.taken.append(self._listening.accept()[0])


@contextmanager
def silent() -> Iterator[Silent]:
    """One for as long as the block lasts."""
    receiver = Silent()
    try:
        yield receiver
    finally:
        receiver.close()
