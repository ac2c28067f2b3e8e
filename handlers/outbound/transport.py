"""An HTTP client that goes to the address it is given and nowhere else, within a time limit.

To a cloud's metadata it does not go at all, whoever names it.

It follows no redirect, takes no proxy from the environment, and remembers no cookie: what one
client's item was answered must not go out with another's. httpx limits each single read and write;
a server that sends a byte now and then could hold a thread for ever. So the connections underneath
also keep a deadline for the request as a whole (deadline_stream.py).
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpcore
import httpx

from handlers.outbound.addresses import is_metadata, read_address
from handlers.outbound.deadline_stream import DeadlineStream

_KEEPALIVE_CONNECTIONS = 64
_KEEPALIVE_SECONDS = 15.0

_thread = threading.local()


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Let the requests of this thread, taken together, last no longer than `seconds`.

    Beyond that they fail with httpx's ReadTimeout. Looking up a host's name is not interrupted.
    """
    _thread.deadline = time.monotonic() + seconds
    try:
        yield
    finally:
        _thread.deadline = None


def _left(timeout: float | None) -> float | None:
    """Seconds that one read or write may take. Raises ReadTimeout where the deadline is over."""
    until: float | None = getattr(_thread, "deadline", None)
    if until is None:
        return timeout
    left = until - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the request as a whole took too long")
    return left if timeout is None else min(timeout, left)


class _Backend(httpcore.SyncBackend):
    """httpcore's network, whose connections end at the deadline of the thread that uses them."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of `host` that answers, but to no cloud's metadata.

        The addresses that are looked at are those that are connected to.
        """
        failure: Exception | None = None
        for address in _resolve(host, port):
            try:
                stream = super().connect_tcp(
                    address, port, _left(timeout), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return DeadlineStream(stream, _left)
        raise failure or httpcore.ConnectError(f"{host} has no address")


def _resolve(host: str, port: int) -> list[str]:
    """The addresses of `host`. Raises ConnectError where one of them is a cloud's metadata."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(str(error)) from error
    addresses = list(dict.fromkeys(str(answer[4][0]) for answer in found))
    for address in addresses:
        known = read_address(address)
        if known is None or is_metadata(known):
            raise httpcore.ConnectError(f"{host} is an address of a cloud's metadata")
    return addresses


class _Transport(httpx.HTTPTransport):
    """httpx's own transport, on that network."""

    def __init__(self) -> None:
        context = httpx.create_ssl_context(trust_env=False)
        # Beside the public authorities those that this machine trusts: a company's own, say.
        context.load_default_certs()
        super().__init__(verify=context, trust_env=False)
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            max_connections=None,
            max_keepalive_connections=_KEEPALIVE_CONNECTIONS,
            keepalive_expiry=_KEEPALIVE_SECONDS,
            network_backend=_Backend(),
        )


def make_client(*, connect_seconds: float, read_seconds: float) -> httpx.Client:
    """A client with a pool of connections, for the threads of one process.

    `connect_seconds` and `read_seconds` limit single steps; `deadline` limits the whole.
    """
    return httpx.Client(
        transport=_Transport(),
        trust_env=False,
        follow_redirects=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        timeout=httpx.Timeout(read_seconds, connect=connect_seconds),
        # Whatever is compressed could be any size once it is not.
        headers={"User-Agent": "batchline", "Accept-Encoding": "identity"},
    )
