"""What narrows a key: the networks that it may come from, and the operations it may submit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from app.core.errors import FieldError, Invalid

Network = IPv4Network | IPv6Network
MOST_ENTRIES = 100
"""Networks, or patterns, of a key: each costs a look at every request of it."""
LONGEST_NAME = 255
"""Characters of an operation's name, or a pattern, that a key is asked about."""


def networks_of(given: Iterable[str]) -> tuple[str, ...]:
    """The networks as they are kept: an address, or a CIDR whose host bits are zero.

    Raises Invalid naming each that is none. One of IPv4 within IPv6 is kept as of IPv4, which is
    how callers' addresses are compared.
    """
    return _each(given, "networks", _network)


def patterns_of(given: Iterable[str]) -> tuple[str, ...]:
    """The patterns of operations as they are kept. Raises Invalid naming each that is none."""
    return _each(given, "operations", _pattern)


def contains(networks: Iterable[Network], address: str | None) -> bool:
    """Whether the address lies in one of them. What is no address (a socket's path) in none."""
    if address is None:
        return False
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in networks)


def fits(patterns: Iterable[str], operation: str) -> bool:
    """Whether one of the patterns is for the operation; none is for a name that is very long."""
    return len(operation) <= LONGEST_NAME and any(_fits(each, operation) for each in patterns)


def _fits(pattern: str, name: str) -> bool:
    """In a time that a pattern with many stars does not make long, as it would a regex's."""
    first, *parts = pattern.split("*")
    if not parts:
        return name == first
    last = parts.pop()
    if len(name) < len(first) + len(last) or not (name.startswith(first) and name.endswith(last)):
        return False
    at, end = len(first), len(name) - len(last)
    for part in parts:
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _each(given: Iterable[str], field: str, parse: Callable[[str], str]) -> tuple[str, ...]:
    kept: dict[str, None] = {}
    errors = []
    for place, text in enumerate(given):
        try:
            kept[parse(text)] = None
        except ValueError as error:
            errors.append(FieldError(f"/{field}/{place}", str(error)))
    if len(kept) > MOST_ENTRIES:
        errors.append(FieldError(f"/{field}", f"Must not be more than {MOST_ENTRIES}."))
    if errors:
        raise Invalid(errors[0].message, errors=errors)
    return tuple(kept)


def _network(text: str) -> str:
    try:
        found = ip_network(text.strip())
    except ValueError as error:
        raise ValueError(f"{text!r} is no network, as 192.0.2.0/24 is ({error}).") from None
    if isinstance(found, IPv6Network) and (mapped := found.network_address.ipv4_mapped):
        if found.prefixlen < 96:
            raise ValueError(f"{text!r} is more than the IPv4 addresses; write 0.0.0.0/0.")
        return str(ip_network((mapped, found.prefixlen - 96)))
    return str(found)


def _pattern(text: str) -> str:
    usable = 0 < len(text) <= LONGEST_NAME and text.isprintable() and " " not in text
    if not usable:
        raise ValueError(
            f"{text!r} is no pattern: an operation's name, in which * stands for any text."
        )
    return text
