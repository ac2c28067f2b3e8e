"""Connections for webhooks: every address is checked, and one deadline is kept.

The name is resolved here, all its addresses are checked, and the connection is made to one of
those that were checked: nothing resolves the name a second time. TLS and `Host` still go by the
name. The deadline holds for the whole exchange, however slowly the other side trickles.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable
from typing import Any

import httpcore

from app.webhooks.addresses import may_connect
from app.webhooks.resolving import DeadlineExceeded, Resolver
from handlers.outbound.deadline_stream import DeadlineStream

__all__ = ["Check", "DeadlineExceeded", "ForbiddenAddress", "GuardedNetwork", "checker"]

Check = Callable[[str], bool]
_resolver = Resolver()


class ForbiddenAddress(httpcore.ConnectError):
    """The name stands for an address that webhooks may not go to."""


class GuardedNetwork(httpcore.NetworkBackend):
    """httpcore's network for one exchange. `allowed`: says of an IP address whether it may be.

    `seconds`: for everything together, from now on. `whose`: the client that it is for.
    """

    def __init__(self, allowed: Check, seconds: float, *, whose: Hashable = None) -> None:
        self._allowed = allowed
        self._whose = whose
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
        addresses = _resolver.resolve(host, port, self._deadline.left(), whose=self._whose)
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
