"""A caller of the native API that costs as little as one can: a kept connection, and no library.

On a machine of two cores what the callers use is missing elsewhere: httpx takes a millisecond a
request, http.client a fifth of one, this a twentieth.
"""

from __future__ import annotations

import re
import socket
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from benchmarks.feed import Feed
from benchmarks.timing import Timing

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PATIENCE = 120.0


class Connection:
    """A kept connection to the server at `url`. Not to be shared between threads.

    `secret`: a client's, if the server wants one. Answers are read by their Content-Length.
    """

    def __init__(self, url: str, secret: str | None = None) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=_PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        bearer = f"Authorization: Bearer {secret}\r\n" if secret else ""
        self._head = f"Host: {parts.netloc}\r\n{bearer}"

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def get(self, path: str) -> tuple[int, bytes]:
        """The status and the body."""
        return self._ask(f"GET {path} HTTP/1.1\r\n{self._head}\r\n".encode())

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """The status and the body of the answer to a JSON body."""
        head = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return self._ask(f"POST {path} HTTP/1.1\r\n{self._head}{head}\r\n".encode() + body)

    def _ask(self, request: bytes) -> tuple[int, bytes]:
        self._socket.sendall(request)
        answer = b""
        while True:
            piece = self._socket.recv(1 << 16)
            if not piece:
                raise ConnectionError(f"closed by the server after {answer[:200]!r}")
            answer += piece
            head, end, body = answer.partition(b"\r\n\r\n")
            if not end:
                continue
            length = _LENGTH.search(head)
            assert length, head
            if len(body) >= int(length[1]):
                return int(head[9:12]), body


class LightBatchline:
    """Batchline over HTTP, for one caller."""

    name = "batchline"

    def __init__(self, url: str, secret: str) -> None:
        self._connection = Connection(url, secret)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def submit(self, feed: Feed) -> UUID:
        """Submit the feed; the batch's id."""
        return UUID(self._post("/v1/batches", feed.body)["id"])

    def wait(self, batch_id: UUID) -> None:
        """Wait until the batch has ended."""
        while self.read(batch_id, "?wait=60")["finishedAt"] is None:
            pass

    def read(self, batch_id: UUID, query: str = "") -> dict[str, Any]:
        """The batch as it is shown."""
        status, body = self._connection.get(f"/v1/batches/{batch_id}{query}")
        assert status == 200, body
        batch: dict[str, Any] = msgspec.json.decode(body)
        return batch

    def run(self, feed: Feed) -> Timing:
        """Submit the feed, and wait for its final summary."""
        body = feed.body
        timing = Timing()
        batch = self._post("/v1/batches?wait=10", body)
        timing.step("accepted")
        while batch["finishedAt"] is None:
            batch = self.read(UUID(batch["id"]), "?wait=10")
        timing.step("processed")
        timing.batch_id = UUID(batch["id"])
        assert batch["summary"]["completed"] == feed.count, batch
        return timing

    def _post(self, path: str, content: bytes) -> dict[str, Any]:
        status, body = self._connection.post(path, content)
        assert status in (200, 202), body
        batch: dict[str, Any] = msgspec.json.decode(body)
        return batch
