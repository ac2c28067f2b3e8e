"""A receiver of webhooks: a real HTTP server that answers as it is told, and keeps what it got."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks.webhooks import Webhook


@dataclass(frozen=True, slots=True)
class Received:
    """One request, as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    def verified(self, secret: str) -> Any:
        """The event, once the library that receivers use has verified it. Raises otherwise."""
        return Webhook(secret).verify(self.body, self.headers)


@dataclass(slots=True)
class Reply:
    """What is answered. `drip`: seconds between the single bytes of the body."""

    status: int = 204
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    wait: float = 0.0
    drip: float = 0.0


Answer = Callable[[Received], Reply]


class Receiver:
    """`url` is where to send; `received` what came, oldest first."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.received: list[Received] = []
        self.most_at_once = 0
        self._at_once = 0
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook?a=1"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def wait_for(self, count: int, *, within: float = 20) -> list[Received]:
        """The first `count` requests; fails the test if they do not come in time."""
        with self._changed:
            came = self._changed.wait_for(lambda: len(self.received) >= count, within)
        assert came, f"{len(self.received)} of {count} requests came within {within} s"
        return self.received[:count]

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()

    def _take(self, received: Received) -> Reply:
        with self._changed:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            self.received.append(received)
            self._changed.notify_all()
        reply = self.answer(received)
        time.sleep(reply.wait)
        with self._changed:
            self._at_once -= 1
        return reply

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                reply = receiver._take(Received(self.path, headers, self.rfile.read(length)))
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    if not reply.drip:
                        self.wfile.write(reply.body)
                    for byte in reply.body if reply.drip else b"":
                        self.wfile.write(bytes([byte]))
                        self.wfile.flush()
                        time.sleep(reply.drip)
                except OSError:
                    pass  # the client closed the connection, as some tests have it do

            def log_message(self, format: str, *args: Any) -> None:
                """Log nothing."""

        return Handler


@contextmanager
def receiving(answer: Answer = lambda _: Reply()) -> Iterator[Receiver]:
    """A receiver for as long as the block lasts."""
    receiver = Receiver(answer)
    try:
        yield receiver
    finally:
        receiver.close()
