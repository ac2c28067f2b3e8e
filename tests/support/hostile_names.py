"""Names that stand for the addresses that are spelled in them, as an attacker's name server says.

`7f000002.hostile.test` is 127.0.0.2, `08080808-7f000002.hostile.test` two addresses, and
`7f000001-then-7f000002.hostile.test` the first one when it is asked for the first time, and the
second from then on. A process that has `tests.support.hostile_resolver` among its HANDLERS resolves
them so; there is no name server that tests could count on.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

SUFFIX = ".hostile.test"
_THEN = "-then-"
Resolve = Callable[..., list[Any]]


def name_of(*turns: str | tuple[str, ...]) -> str:
    """The name that stands for these addresses, one after the other as it is asked for."""
    return _THEN.join(map(_label, turns)) + SUFFIX


def answering(really: Resolve) -> Resolve:
    """A `getaddrinfo` that knows these names, and asks `really` for all others."""
    asked: Counter[str] = Counter()
    lock = threading.Lock()

    def getaddrinfo(host: Any, port: Any, *args: Any, **options: Any) -> list[Any]:
        if not isinstance(host, str) or not host.endswith(SUFFIX):
            return really(host, port, *args, **options)
        turns = host.removesuffix(SUFFIX).split(_THEN)
        with lock:
            turn = turns[min(asked[host], len(turns) - 1)]
            asked[host] += 1
        return [
            entry
            for digits in turn.split("-")
            for entry in really(_address(digits), port, *args, **options)
        ]

    return getaddrinfo


def _label(addresses: str | tuple[str, ...]) -> str:
    several = (addresses,) if isinstance(addresses, str) else addresses
    return "-".join(ip_address(address).packed.hex() for address in several)


def _address(digits: str) -> str:
    packed = bytes.fromhex(digits)
    return str(IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed))
