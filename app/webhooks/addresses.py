"""Which addresses a webhook may be sent to.

Not names are checked, but the addresses that a name resolves to when the connection is made: a name
can be pointed at an internal address after it was checked.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_NAT64 = IPv6Network("64:ff9b::/96")
# Internal to a provider's or cluster's network, though not registered as private.
_SHARED = IPv4Network("100.64.0.0/10")
_SITE_LOCAL = IPv6Network("fec0::/10")


def may_connect(address: str, *, allow_private: bool) -> bool:
    """Whether a webhook may go to the IP address `address`.

    Public addresses always; private and loopback ones if `allow_private`; link-local (where
    clouds keep their credentials), multicast and unspecified ones never.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(_allowed(one, allow_private) for one in (found, *_embedded(found)))


def _allowed(address: IPv4Address | IPv6Address, allow_private: bool) -> bool:
    if address.is_multicast or address.is_unspecified or address.is_link_local:
        return False
    if address.is_loopback or address in _SHARED or address in _SITE_LOCAL:
        return allow_private
    if _embedded(address):
        return True  # judged by the address embedded in it
    if address.is_global:
        return not address.is_reserved
    return allow_private and address.is_private and not address.is_reserved


def _embedded(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """The IPv4 addresses that an IPv6 address stands for: mapped, 6to4, Teredo, NAT64."""
    if isinstance(address, IPv4Address):
        return []
    found: list[IPv4Address | None] = [address.ipv4_mapped, address.sixtofour]
    found += list(address.teredo or ())
    if address in _NAT64:
        found.append(IPv4Address(int(address) & 0xFFFF_FFFF))
    return [one for one in found if one is not None]
