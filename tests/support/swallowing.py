"""A wire to Postgres that swallows the answer of a commit, or the commit itself, and breaks."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import make_url

_COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"


class SwallowingProxy:
    """Stands before a Postgres. `url`: the database, through it. `swallowed`: how many COMMITs."""

    def __init__(self, url: str) -> None:
        address = make_url(url)
        self._server = (address.host or "", address.port or 5432)
        self._listener = socket.create_server(("127.0.0.1", 0))
        there = address.set(host="127.0.0.1", port=self._listener.getsockname()[1])
        self.url = there.render_as_string(hide_password=False)
        self.swallowed = 0
        self._after = b""
        self._arrives = True
        self._times = 0
        self._darkens = self._apart = False
        self._dark = threading.Event()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(
        self,
        after: bytes,
        *,
        times: int = 1,
        arrives: bool = True,
        dark: bool = False,
        apart: bool = False,
    ) -> None:
        """Swallow the COMMITs of the next `times` transactions that say `after`.

        `apart`: that is a statement outside of a transaction, which commits by itself.
        `arrives`: the server commits, and its answer is lost; otherwise it never hears of it.
        `dark`: no connection is made afterwards, until `light`.
        """
        self._after, self._times, self._arrives = after, times, arrives
        self._darkens, self._apart = dark, apart

    def light(self) -> None:
        """Let connections be made again."""
        self._dark.clear()

    def close(self) -> None:
        """Take no more connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._dark.is_set():
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._server) as server:
            breaking = threading.Event()
            answering = threading.Thread(
                target=self._answer, args=(server, client, breaking), daemon=True
            )
            answering.start()
            said = b""
            with contextlib.suppress(OSError):
                while chunk := client.recv(1 << 20):
                    said += chunk
                    if not self._apart and not chunk.endswith(_COMMIT):
                        server.sendall(chunk)
                        continue
                    if self._swallows(said):
                        breaking.set()
                        if self._arrives:
                            server.sendall(chunk)
                            answering.join(10)
                        break
                    said = b""
                    server.sendall(chunk)
            for one in (client, server):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            answering.join(10)

    def _swallows(self, said: bytes) -> bool:
        with self._lock:
            if not self._times or self._after not in said:
                return False
            self._times -= 1
            self.swallowed += 1
            if self._darkens:
                self._dark.set()
            return True

    def _answer(
        self, server: socket.socket, client: socket.socket, breaking: threading.Event
    ) -> None:
        with contextlib.suppress(OSError):
            while chunk := server.recv(1 << 16):
                if breaking.is_set():
                    return  # the COMMIT is through
                client.sendall(chunk)


@contextmanager
def swallowing(url: str) -> Iterator[SwallowingProxy]:
    """A proxy before `url`, for as long as the block lasts."""
    proxy = SwallowingProxy(url)
    try:
        yield proxy
    finally:
        proxy.close()
