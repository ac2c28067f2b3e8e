"""The web process's one loop: it waits for all sockets at once, and never for a single one."""

from __future__ import annotations

import os
import selectors
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import cast

import structlog

log = structlog.get_logger(__name__)

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE
Callback = Callable[[], None]


class Loop:
    """Sockets and what to call when they are ready; `call` may be used by any thread or signal."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._calls: deque[Callback] = deque()
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._selector.register(self._woken, READ, self._drain)

    def watch(self, sock: socket.socket, events: int, callback: Callback) -> None:
        """Call `callback` whenever `sock` is ready, until `unwatch`."""
        self._selector.register(sock, events, callback)

    def unwatch(self, sock: socket.socket) -> None:
        """Look at `sock` no more."""
        self._selector.unregister(sock)

    def call(self, callback: Callback) -> None:
        """Call `callback` soon, in the loop's thread."""
        self._calls.append(callback)
        self.wake()

    def wake(self) -> None:
        """Let `turn` return soon."""
        # Where the pipe is full it will be read all the same; a loop that is closed wakes no more.
        with suppress(OSError):
            self._waker.send(b"\0")

    def turn(self, seconds: float) -> None:
        """Wait for something to do, at most so long, and do it."""
        for key, _ in self._selector.select(seconds):
            sock = cast(socket.socket, key.fileobj)
            # One before it may have closed this one.
            if sock.fileno() >= 0:
                self.do(key.data)
        for _ in range(len(self._calls)):
            self.do(self._calls.popleft())

    def do(self, callback: Callback) -> None:
        """Call it. What it raises is logged."""
        try:
            callback()
        except Exception:
            # One connection's fault must not be the end of all others.
            log.exception("loop.failed")

    def close(self) -> None:
        """Forget everything."""
        self._selector.close()
        self._woken.close()
        self._waker.close()

    def _drain(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._woken.fileno(), 4096)
