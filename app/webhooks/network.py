"""Connections for webhooks: every address is checked, and one deadline is kept.

The name is resolved here, all its addresses are checked, and the connection is made to one of
those that were checked: nothing resolves the name a second time. TLS and `Host` still go by the
name. The deadline holds for the whole exchange, however slowly the other side trickles.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

import httpcore

from app.webhooks.addresses import may_connect
from handlers.outbound.deadline_stream import DeadlineStream

Check = Callable[[str], bool]
_MAX_RESOLVING = 16
_resolver = ThreadPoolExecutor(_MAX_RESOLVING, thread_name_prefix="resolver")


class ForbiddenAddress(httpcore.ConnectError):
    """The name stands for an address that webhooks may not go to."""


class DeadlineExceeded(httpcore.TimeoutException):
    """The exchange took too long."""


class GuardedNetwork(httpcore.NetworkBackend):
    """httpcore's network for one exchange. `allowed`: says of an IP address whether it may be.

    `seconds`: for everything together, from now on.
    """

    def __init__(self, allowed: Check, seconds: float) -> None:
        self._allowed = allowed
        self._network = httpcore.SyncBackend()
        self._deadline = _Deadline(seconds)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of `host` that answers, once all have been checked.

        Raises ForbiddenAddress where one of them may not be connected to, ConnectError and
        DeadlineExceeded.
        """
        addresses = self._resolve(host, port)
        for address in addresses:
            if not self._allowed(address):
                raise ForbiddenAddress(f"{host} is {address}, where webhooks may not go")
        failure: Exception | None = None
        for address in addresses:
            try:
                stream = self._network.connect_tcp(
                    address, port, self._deadline.left(), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return DeadlineStream(stream, self._deadline.left)
        raise failure or httpcore.ConnectError(f"{host} has no address")

    def _resolve(self, host: str, port: int) -> list[str]:
        """The addresses of `host`, in the system's order of preference, each once."""
        # In a thread, as waiting for it cannot be ended otherwise.
        found: Future[list[Any]] = _resolver.submit(
            socket.getaddrinfo, host, port, type=socket.SOCK_STREAM
        )
        try:
            answers = found.result(self._deadline.left())
        except FutureTimeout:
            found.cancel()
            raise DeadlineExceeded(f"{host} could not be resolved in time") from None
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} cannot be resolved: {error}") from error
        return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


class _Deadline:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._at = time.monotonic() + seconds

    def left(self, asked: float | None = None) -> float:
        """Seconds left, or `asked` if that is less. Raises DeadlineExceeded at the end."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded(f"not answered within {self._seconds:g} s")
        return left if asked is None else min(left, asked)


def checker(*, allow_private: bool) -> Check:
    """`may_connect` as a function of the address alone."""
    return lambda address: may_connect(address, allow_private=allow_private)
