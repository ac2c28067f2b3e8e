"""A wire that breaks: a TCP proxy which ends connections in the middle of an answer."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit


class BreakingProxy:
    """Stands before a server. Each connection takes the next of `after`.

    That is how many bytes of answers it lets through before it breaks; once there are no more,
    connections hold. `requests`: what was asked, a request's head and body in one.
    """

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._server = (address.hostname or "", address.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.after: list[int] = []
        self.requests: list[bytes] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def close(self) -> None:
        """Take no more connections, and wait for those there are."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(30)

    def _start(self, *job: object) -> None:
        run, *arguments = job
        assert callable(run)
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, client, self.after.pop(0) if self.after else None)

    def _serve(self, client: socket.socket, left: int | None) -> None:
        with client, socket.create_connection(self._server) as server:
            asking = threading.Thread(target=self._ask, args=(client, server), daemon=True)
            asking.start()
            with contextlib.suppress(OSError):
                while left != 0 and (chunk := server.recv(65536)):
                    chunk = chunk[:left]
                    client.sendall(chunk)
                    left = None if left is None else left - len(chunk)
            for one in (client, server):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            asking.join(30)

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := client.recv(65536):
                self.requests.append(chunk)
                server.sendall(chunk)
            server.shutdown(socket.SHUT_WR)


@contextmanager
def breaking(url: str) -> Iterator[BreakingProxy]:
    """A proxy before `url`, for as long as the block lasts."""
    proxy = BreakingProxy(url)
    try:
        yield proxy
    finally:
        proxy.close()
