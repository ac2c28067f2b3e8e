"""Server-Sent Events: their form, and the connection that they are sent over.

A client that does not read must not block a thread, and one that has gone must free its thread
soon. So the connection is polled before anything is written: what cannot be taken now is not
written, and a connection that takes nothing for long is closed.
"""

from __future__ import annotations

import select
import socket as sockets
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

MIMETYPE = "text/event-stream"
HEADERS = {
    "Cache-Control": "no-store",
    # Proxies would otherwise keep the events until there are enough of them.
    "X-Accel-Buffering": "no",
}
HEARTBEAT = b": still here\n\n"
STALLED_AFTER = 30.0
"""Seconds after which the connection of a client that takes nothing is closed."""

_GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL | getattr(select, "POLLRDHUP", 0)


def event(name: str, data: bytes, identifier: str) -> bytes:
    """One event. `data`: JSON, on one line."""
    lines = [f"event: {name}".encode(), f"id: {identifier}".encode(), b"data: " + data]
    return b"\n".join(lines) + b"\n\n"


class Line:
    """The connection to the client, where the server lets us at its socket."""

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._socket: sockets.socket | None = environ.get("gunicorn.socket")
        self._taken_at = time.monotonic()

    def state(self) -> str:
        """Whether it is "free" to be written to, "full" for now, or "gone"."""
        if self._socket is None:
            return "free"
        poll = select.poll()
        poll.register(self._socket, select.POLLOUT | _GONE)
        events = dict(poll.poll(0)).get(self._socket.fileno(), 0)
        if events & _GONE:
            return "gone"
        now = time.monotonic()
        if events & select.POLLOUT:
            self._taken_at = now
            return "free"
        if now - self._taken_at > STALLED_AFTER:
            self._give_up()
            return "gone"
        return "full"

    def _give_up(self) -> None:
        """Shut the connection down: not even the end of the answer could be written to it."""
        assert self._socket is not None  # noqa: S101 (only called where there is one)
        with suppress(OSError):
            self._socket.shutdown(sockets.SHUT_RDWR)
