"""Free TCP ports."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from app.local.servers.errors import ServerError


def free_port(host: str = "127.0.0.1") -> int:
    """A port of `host` that is free now. It may be taken before it is used: be ready to retry."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def candidates(port: int | None, last: int | None) -> Iterator[int]:
    """The ports to try: just `port` if given, else `last` if it is free, and then a few others.

    Raises ServerError if the given one is taken.
    """
    if port is not None:
        if not is_free(port, "127.0.0.1"):
            raise ServerError(f"Port {port} of 127.0.0.1 is taken")
        yield port
        return
    if last and is_free(last, "127.0.0.1"):
        yield last
    for _ in range(3):
        yield free_port()


def is_free(port: int, host: str) -> bool:
    """Whether `port` of `host` can be listened on now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True
