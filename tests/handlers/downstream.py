"""A real HTTP server on this machine that behaves as the path asks: well, badly, or not at all."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from handlers import Operation
from handlers.shipped.http_request.handler import Forwarder

DRIP_SECONDS = 0.05
# A key that guards nothing, and a certificate for localhost that nobody trusts unless told to.
CERTIFICATE = Path(__file__).with_name("localhost.pem")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is nothing to report."""


class Downstream:
    """`url`: where it is. `seen`: method and target of every request, in order.

    `answers` can hold functions, by path, that answer instead of what is built in.
    """

    def __init__(self, *, tls: bool = False) -> None:
        downstream = self

        class Handler(_Handler):
            server_of = downstream

        self.seen: list[tuple[str, str]] = []
        self.connections = 0
        self.answers: dict[str, Callable[[_Handler], None]] = {}
        self.closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self.url = f"https://localhost:{self.port}"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def downstream(*, tls: bool = False) -> Iterator[Downstream]:
    """A running server."""
    server = Downstream(tls=tls)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def hang_up(operation: Operation) -> None:
    """Close the connections of the forwarder behind an `http.request`."""
    forwarder: Forwarder = operation.handler.__self__  # type: ignore[attr-defined]
    if forwarder._client is not None:
        forwarder._client[1].close()


class _Handler(BaseHTTPRequestHandler):
    server_of: Downstream
    protocol_version = "HTTP/1.1"
    body = b""

    def setup(self) -> None:
        super().setup()
        self.server_of.connections += 1

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def answer_any(self) -> None:
        self.server_of.seen.append((self.command, self.path))
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        name = path.strip("/").split("/")[-1]
        built_in = getattr(self, f"do_{name}", None)
        answer = self.server_of.answers.get(path)
        # A client that gives up is what some of these are for.
        with suppress(ConnectionError):
            if answer is not None:
                answer(self)
            else:
                assert built_in is not None, path
                built_in()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer_any

    def send(self, status: int, body: bytes | None = None, **headers: str) -> None:
        """A whole answer. Underscores in header names stand for hyphens."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def do_echo(self) -> None:
        said = {
            "method": self.command,
            "target": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": self.body.decode(),
        }
        self.send(200, json.dumps(said).encode(), Content_Type="application/json")

    def do_empty(self) -> None:
        self.send(204)

    def do_numbers(self) -> None:
        self.send(201, b'{"price": 2.70, "ok": true}', Content_Type="application/hal+json")

    def do_text(self) -> None:
        self.send(200, "Grüße\x00".encode("latin-1"), Content_Type="text/plain; charset=ISO-8859-1")

    def do_liar(self) -> None:
        self.send(200, b"<html>\xff", Content_Type="application/json")

    def do_deep(self) -> None:
        self.send(200, b"[" * 70 + b"]" * 70, Content_Type="application/json")

    def do_infinite(self) -> None:
        self.send(200, b'{"price": 1e999}', Content_Type="application/json")

    def do_gzip(self) -> None:
        self.send(200, gzip.compress(b"0" * 1_000_000), Content_Encoding="gzip")

    def do_cookie(self) -> None:
        self.send(200, b"ok", Set_Cookie="session=secret; Path=/")

    def do_hangs(self) -> None:
        self.server_of.closing.wait(30)

    def do_drops(self) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def do_breaks(self) -> None:
        """Ends in the middle of its body."""
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"half")
        self.close_connection = True

    def do_garbage(self) -> None:
        self.wfile.write(b"this is no HTTP\r\n\r\n")
        self.close_connection = True

    def do_dripsheaders(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        self._drip()

    def do_dripsbody(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        self._drip()

    def do_dripserror(self) -> None:
        self.wfile.write(b"HTTP/1.1 404 Not Found\r\n\r\nno such thing")
        self._drip()

    def _drip(self) -> None:
        self.close_connection = True
        while not self.server_of.closing.wait(DRIP_SECONDS):
            self.wfile.write(b"x")

    def do_endless(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.close_connection = True
        while not self.server_of.closing.is_set():
            self.wfile.write(b"[" * 65536)
