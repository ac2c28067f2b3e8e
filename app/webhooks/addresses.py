"""Which addresses a webhook may be sent to.

Not names are judged, but the addresses that a name stands for when the connection is made, and the
connection is made to one of those: a name can be pointed elsewhere after it was looked at.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Network

from app.core.addresses import Reachable
from handlers.outbound.addresses import (
    Address,
    embedded,
    is_an_ipv4_address,
    is_metadata,
    read_address,
)

# Internal to a provider's or cluster's network, though not registered as private.
_SHARED = IPv4Network("100.64.0.0/10")
_SITE_LOCAL = IPv6Network("fec0::/10")
_PUBLIC_BY_HTTP = "only private addresses that the operator allows may be http://"


class Kind(Enum):
    """What an address is to us. The later ones are judged more severely."""

    PUBLIC = 1
    PRIVATE = 2
    """Loopback ones too, and those of a provider's own network."""
    NEVER = 3
    """Clouds' metadata, link-local, multicast, reserved and unspecified ones, and no address."""


def kind_of(text: str) -> Kind:
    """What the IP address `text` is. One that stands for others is as the worst of them."""
    found = read_address(text)
    if found is None or is_metadata(found):
        return Kind.NEVER
    kinds = [_plain(one) for one in embedded(found)]
    if not is_an_ipv4_address(found):
        kinds.append(_plain(found))
    return max(kinds, key=lambda kind: kind.value)


def _plain(address: Address) -> Kind:
    if address.is_multicast or address.is_unspecified or address.is_link_local:
        return Kind.NEVER
    if address.is_loopback or address in _SHARED or address in _SITE_LOCAL:
        return Kind.PRIVATE
    if address.is_reserved:
        return Kind.NEVER
    if address.is_global:
        return Kind.PUBLIC
    return Kind.PRIVATE if address.is_private else Kind.NEVER


def literal(host: str) -> str | None:
    """The IP address that the host of a URL is, however it is spelled; None for a name.

    Systems take more for an address than four decimal numbers: `2852039166`, `0xa9.254.0251.254`.
    """
    bare = host.strip("[]").rstrip(".")
    if (found := read_address(bare)) is not None:
        return str(found)
    try:
        return str(IPv4Address(socket.inet_aton(bare)))
    except (OSError, UnicodeError):
        return None


@dataclass(frozen=True, slots=True)
class Policy:
    """Where webhooks may go, as the operator says: `WEBHOOK_ALLOW`, `WEBHOOK_ALLOW_PRIVATE`.

    Public addresses may always be gone to, by https. Of the private ones those that are allowed,
    by http as well: all (`private`), those that are `listed`, and those that a
    listed name stands for. `show_answers`: whether clients are shown what such an address answered.
    """

    private: bool = False
    listed: Reachable = field(default_factory=Reachable)
    show_answers: bool = False

    def refusal(self, address: str, host: str, *, secure: bool) -> str | None:
        """Why the address, which is `host` or stands for it, may not be gone to; None if it may."""
        kind = kind_of(address)
        if kind is Kind.PUBLIC:
            return None if secure else f"it must be https:// ({_PUBLIC_BY_HTTP})"
        if kind is Kind.PRIVATE and (self.private or self.names(address, host)):
            return None
        return "webhooks may not go there"

    def names(self, address: str, host: str) -> bool:
        """Whether the operator's list has the host or the address."""
        if host.rstrip(".").lower() in self.listed.hosts:
            return True
        found = read_address(address)
        if found is None:
            return False
        return any(
            one in network for one in (found, *embedded(found)) for network in self.listed.networks
        )

    def hides(self, address: str, host: str) -> bool:
        """Whether clients are not told what that address answered."""
        if self.show_answers:
            return False
        return kind_of(address) is not Kind.PUBLIC or self.names(address, host)

    def fault(self, scheme: str, host: str) -> str | None:
        """What is wrong with a URL, if that can be told without resolving its name."""
        address = literal(host)
        if address is not None:
            why = self.refusal(address, host, secure=scheme == "https")
            return None if why is None else f"{host}: {why}."
        may_be_private = (
            self.private or self.listed.networks or host.rstrip(".").lower() in self.listed.hosts
        )
        if scheme != "https" and not may_be_private:
            return f"Must be https:// ({_PUBLIC_BY_HTTP})."
        return None
