"""HTTP spoken byte by byte."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any
from urllib.parse import urlsplit

from app.clients.credentials import ClientSecret
from tests.api.conftest import MASTERLIST
from tests.support.stack import Stack


class Wire:
    """A connection on which a request can be sent byte by byte."""

    def __init__(self, stack: Stack, client: ClientSecret) -> None:
        address = urlsplit(stack.url)
        self.socket = socket.create_connection((address.hostname, address.port), timeout=20)
        self._secret = client.secret

    @property
    def port(self) -> int:
        """This side's."""
        return int(self.socket.getsockname()[1])

    def head(self, *headers: str) -> None:
        """Begin a submission of NDJSON, with these headers, too."""
        lines = (
            f"POST /v1/batches?{MASTERLIST}&start=manual HTTP/1.1",
            "Host: here",
            f"Authorization: Bearer {self._secret}",
            "Content-Type: application/x-ndjson",
            *headers,
        )
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")

    def answer(self) -> tuple[int, Any]:
        """Status and body of the answer, nothing more being sent."""
        self.socket.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := self.socket.recv(65536):
            received += chunk
        head, _, body = received.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body[body.find(b"{") : body.rfind(b"}") + 1])

    def vanish(self) -> None:
        """Go away without a word (RST)."""
        linger = struct.pack("ii", 1, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.socket.close()
