"""Connections for webhooks: every address is judged, and bounds of time and bytes are kept.

The name is resolved here, all its addresses are judged, and the connection is made to one of those
that were judged: nothing resolves the name a second time. TLS and `Host` still go by the name. The
deadline and the bound of bytes hold for the whole exchange, however the other side answers.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Hashable, Iterable
from typing import Any

import httpcore

from app.webhooks.addresses import Policy
from app.webhooks.resolving import DeadlineExceeded, Resolver
from handlers.outbound.deadline_stream import DeadlineStream

__all__ = ["DeadlineExceeded", "ForbiddenAddress", "GuardedNetwork"]

MOST_BYTES = 256 * 1024
"""Most bytes of an answer that are read, its head and all that comes before it included."""
_resolver = Resolver()


class ForbiddenAddress(httpcore.ConnectError):
    """The name stands for an address that webhooks may not go to."""


class GuardedNetwork(httpcore.NetworkBackend):
    """httpcore's network for one exchange. `policy`: says where it may go.

    `secure`: whether it is by https. `seconds`: for everything together, from now on. `whose`: the
    client that it is for.
    """

    def __init__(
        self, policy: Policy, seconds: float, *, secure: bool, whose: Hashable = None
    ) -> None:
        self._policy = policy
        self._secure = secure
        self._whose = whose
        self._network = httpcore.SyncBackend()
        self._deadline = _Deadline(seconds)
        self.hidden = False
        """Whether clients are not to be told what the addresses answered that were tried."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of `host` that answers, once all have been judged.

        Raises ForbiddenAddress, which does not name the address, where one of them may not be
        connected to; ConnectError and DeadlineExceeded.
        """
        addresses = _resolver.resolve(host, port, self._deadline.left(), whose=self._whose)
        for address in addresses:
            why = self._policy.refusal(address, host, secure=self._secure)
            if why is not None:
                raise ForbiddenAddress(f"{host}: {why}")
        self.hidden = any(self._policy.hides(address, host) for address in addresses)
        failure: Exception | None = None
        for address in addresses:
            try:
                stream = self._network.connect_tcp(
                    address, port, self._deadline.left(), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _BoundedStream(stream, self._deadline)
        raise failure or httpcore.ConnectError(f"{host} has no address")


class _Deadline:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._at = time.monotonic() + seconds
        self.bytes_left = MOST_BYTES

    def left(self, asked: float | None = None) -> float:
        """Seconds left, or `asked` if that is less. Raises DeadlineExceeded at the end."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded(f"not answered within {self._seconds:g} s")
        return left if asked is None else min(left, asked)


class _BoundedStream(DeadlineStream):
    """A connection of which no more than MOST_BYTES are read."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: _Deadline) -> None:
        super().__init__(stream, deadline.left)
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """At most `max_bytes`, empty at the end. Raises ReadError where there was too much."""
        if self._deadline.bytes_left <= 0:
            raise httpcore.ReadError(f"the answer has more than {MOST_BYTES} bytes")
        read = super().read(min(max_bytes, self._deadline.bytes_left), timeout)
        self._deadline.bytes_left -= len(read)
        return read

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Go on encrypted, within the same bounds."""
        encrypted = self._stream.start_tls(
            ssl_context, server_hostname, self._deadline.left(timeout)
        )
        return _BoundedStream(encrypted, self._deadline)
