"""Where connections come in: they are taken, left to another process, or turned away."""

from __future__ import annotations

import errno
import select
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from app.server import bounds, refusals
from app.server.balance import Waiting
from app.server.connection import BUSY, Connection
from app.server.crowd import Crowd
from app.server.loop import READ, Loop
from app.server.refused import Refused

_AT_ONCE = 8
_NO_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

Connect = Callable[[socket.socket, Any, Any], Connection]


class Door:
    """The listening sockets of a process, for the loop's thread.

    Past `crowd.most` connections one gives way to whoever comes, or that one is told 503. `connect`
    makes a connection of a socket, its peer and our own address.
    """

    def __init__(
        self,
        listeners: Sequence[Any],
        loop: Loop,
        crowd: Crowd,
        waiting: Waiting,
        connect: Connect,
        log: Any,
        refused: Refused,
    ) -> None:
        self._listeners, self._loop, self._crowd = listeners, loop, crowd
        self._waiting, self._connect, self._log = waiting, connect, log
        self._refused = refused
        self._is_open = False
        self._lacked_at = float("-inf")

    def open(self) -> None:
        """Take connections."""
        if not self._is_open:
            self._is_open = True
            for listener in self._listeners:
                listener.setblocking(False)
                self._loop.watch(listener.sock, READ, partial(self._accept, listener))

    def shut(self) -> None:
        """Take none until it is opened again."""
        if self._is_open:
            self._is_open = False
            for listener in self._listeners:
                self._loop.unwatch(listener.sock)

    def close(self) -> None:
        """For ever."""
        self.shut()
        for listener in self._listeners:
            listener.close()

    def look(self) -> None:
        """Open it where another process has had its turn to take some."""
        if self._waiting.is_over():
            self.open()
            if not self._somebody_is_there():
                self._waiting.was_taken()

    def left(self) -> float | None:
        """Seconds until there is something to look for; None where there is not."""
        return self._waiting.left()

    def _somebody_is_there(self) -> bool:
        asked = select.poll()
        for listener in self._listeners:
            asked.register(listener.sock, select.POLLIN)
        return bool(asked.poll(0))

    def _accept(self, listener: Any) -> None:
        for _ in range(_AT_ONCE):
            if self._waiting.begins():
                self.shut()
                return
            try:
                sock, peer = listener.accept()
            except OSError as error:
                if error.errno in _NO_FILES:
                    self._lacks(error)
                return
            if len(self._crowd) >= self._crowd.most and not self._crowd.make_room():
                self._refused.note(BUSY[1], peer)
                _turn_away(sock)
            else:
                self._crowd.add(self._connect(sock, peer, listener.getsockname()))

    def _lacks(self, error: OSError) -> None:
        """There is no file for another connection."""
        now = time.monotonic()
        if now - self._lacked_at >= 1.0:
            self._lacked_at = now
            self._log.warning("No connection could be taken: %s", error)
        if not self._crowd.make_room():
            # Until the next look around.
            self.shut()


def _turn_away(sock: socket.socket) -> None:
    sock.setblocking(False)
    with suppress(OSError):
        sock.send(refusals.answer(*BUSY))
        # What has not been read when it is closed would cost the peer the answer.
        sock.shutdown(socket.SHUT_WR)
        sock.recv(bounds.LONGEST_HEAD)
    sock.close()
