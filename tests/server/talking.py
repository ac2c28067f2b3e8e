"""HTTP by hand: what a test sends, and what comes back."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret
from tests.support.stack import Stack


def get(client: ClientSecret, path: str, *more: str) -> tuple[str, ...]:
    """The head of a client's GET."""
    return (
        f"GET {path} HTTP/1.1",
        "Host: here",
        f"Authorization: Bearer {client.secret}",
        *more,
    )


def waiting_for_locks(engine: Engine) -> int:
    """How many connections of web processes wait for a lock of the database."""
    # In a transaction of its own: within one, Postgres shows the same each time.
    with engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND application_name = 'batchline-web' AND datname = current_database()"
            )
        )
        return int(found.scalar_one())


@dataclass
class Answer:
    """One answer. `headers`: names in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Talk:
    """A connection."""

    def __init__(self, stack: Stack, *, receive_buffer: int | None = None) -> None:
        host, port = stack.url.removeprefix("http://").split(":")
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(60)
        self.socket.connect((host, int(port)))
        self._left = b""

    def __enter__(self) -> Talk:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, *lines: str, body: bytes = b"") -> Talk:
        """A head of these lines and the body."""
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return self

    def answer(self) -> Answer:
        """The next one; one that is `100 Continue` is an answer, too."""
        while b"\r\n\r\n" not in self._left:
            self._more()
        head, _, self._left = self._left.partition(b"\r\n\r\n")
        status, *fields = head.decode().split("\r\n")
        headers = {}
        for each in fields:
            name, _, value = each.partition(": ")
            headers[name.lower()] = value
        length = int(headers.get("content-length", 0))
        while len(self._left) < length:
            self._more()
        body, self._left = self._left[:length], self._left[length:]
        return Answer(int(status.split()[1]), headers, body)

    def ended(self) -> bool:
        """Whether the server has closed, with nothing left unread; waits for it."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def _more(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError(f"closed after {self._left[:200]!r}")
        self._left += data
