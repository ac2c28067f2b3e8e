"""A connection whose every step ends at a deadline, however slowly the other side answers."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import httpcore

_WRITE_BYTES = 16 * 1024

Left = Callable[[float | None], float | None]


class DeadlineStream(httpcore.NetworkStream):
    """`stream`, each of whose steps may take what `left` says.

    `left(timeout)`: seconds for a step that was given `timeout` (None: no limit of its own); raises
    a TimeoutException of httpcore's once the deadline is over.
    """

    def __init__(self, stream: httpcore.NetworkStream, left: Left) -> None:
        self._stream = stream
        self._left = left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """At most `max_bytes`, empty at the end."""
        return self._stream.read(max_bytes, self._left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write `buffer` in pieces, so that the deadline is looked at between two of them."""
        for start in range(0, len(buffer), _WRITE_BYTES):
            self._stream.write(buffer[start : start + _WRITE_BYTES], self._left(timeout))

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Go on encrypted, under the same deadline."""
        encrypted = self._stream.start_tls(ssl_context, server_hostname, self._left(timeout))
        return DeadlineStream(encrypted, self._left)

    def get_extra_info(self, info: str) -> Any:
        """What httpcore wants to know of the connection."""
        return self._stream.get_extra_info(info)
