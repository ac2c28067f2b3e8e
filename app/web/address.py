"""Where a request comes from: the address of its connection, or what a trusted proxy says of it.

Anybody can send `X-Forwarded-For`. It is read only from connections of the proxies that
`FORWARDED_ALLOW_IPS` names, and from its end: each proxy puts the address that it was called from
behind those that it was told. So the first from the right that is not such a proxy's is the
caller's, and whatever stands before it the caller may have made up.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from flask import Request, g

from app.clients.limits import Network, contains

HEADER = "X-Forwarded-For"
# Who is connected by a Unix socket is on this machine, as who comes from there is.
_HERE = "127.0.0.1"


def begin(request: Request, proxies: Iterable[Network]) -> str | None:
    """Find out the address of the request that begins, for `caller_address`, and return it."""
    found: str | None = address_of(
        request.environ.get("REMOTE_ADDR") or "", request.headers.get(HEADER, ""), proxies
    )
    g.address = found
    return found


def caller_address() -> str | None:
    """The address that the request comes from; None where it is not known.

    That is so over a Unix socket without a trusted proxy, and where such a proxy wrote what is no
    address.
    """
    found: str | None = g.get("address")
    return found


def address_of(peer: str, forwarded: str, proxies: Iterable[Network]) -> str | None:
    """The caller's address.

    `peer`: the connection's other end, empty for a Unix socket. `forwarded`: all `X-Forwarded-For`
    of the request, in their order, joined by commas. `proxies`: those that are believed.
    """
    address = _plain(peer)
    if not proxies or not forwarded:
        return address
    told = forwarded.split(",")
    while told and contains(proxies, address if peer else _HERE):
        peer = address = _plain(_without_port(told.pop().strip())) or ""
        if not address:
            return None
    return address


@lru_cache(maxsize=1024)
def _plain(address: str) -> str | None:
    """An address as it is compared and shown: of IPv4 where it is one within IPv6; else None."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(found)


def _without_port(told: str) -> str:
    """Some proxies add the port: `192.0.2.1:4711`, `[2001:db8::1]:4711`."""
    if told.startswith("["):
        return told[1:].partition("]")[0]
    return told.partition(":")[0] if told.count(":") == 1 else told
