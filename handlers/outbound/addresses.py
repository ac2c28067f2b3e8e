"""Addresses that nothing of ours goes to: where clouds keep a machine's metadata and credentials.

Whoever reads these addresses is taken for the machine itself. So neither a client nor a setting
opens them. They are known in every form in which an IPv6 address stands for an IPv4 one.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address

# 169.254.0.0/16 and fe80::/10 have most of them: 169.254.169.254 (Amazon, Azure, Google, Oracle,
# DigitalOcean, Hetzner, OpenStack and many more), 169.254.170.2 and .23 (containers on Amazon),
# 169.254.0.23 and .10.10 (Tencent), 169.254.42.42 (Scaleway), fe80::a9fe:a9fe (OpenStack).
_METADATA = tuple(
    ip_network(network)
    for network in (
        "100.100.100.200/32",  # Alibaba
        "168.63.129.16/32",  # Azure's WireServer, a public address by its looks
        "192.0.0.192/32",  # Oracle, the older one
        "fd00:ec2::/32",  # Amazon: metadata, containers' credentials, names, time
        "fd20:ce::254/128",  # Google
        "fd00:c1::a9fe:a9fe/128",  # Oracle
        "fd00:42::42/128",  # Scaleway
        "fd00:a9fe:a9fe::1/128",  # Akamai (Linode)
        "fd00:100::100:200/128",  # Alibaba
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
_MAPPED = IPv6Network("::ffff:0:0/96")
_TRANSLATED = IPv6Network("::ffff:0:0:0/96")
_COMPATIBLE = IPv6Network("::/96")
_6TO4 = IPv6Network("2002::/16")
_TEREDO = IPv6Network("2001::/32")
# The third and fourth quarter of an ISATAP address: 0000:5efe or 0200:5efe, and the IPv4 address.
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)


def read_address(text: str) -> Address | None:
    """The IP address that `text` is, without its zone; None where it is none."""
    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        return None


def is_metadata(address: Address) -> bool:
    """Whether a cloud's metadata is there, or might be: all link-local addresses count."""
    return any(
        one.is_link_local or any(one in network for network in _METADATA)
        for one in (address, *embedded(address))
    )


def is_an_ipv4_address(address: Address) -> bool:
    """Whether it leads to the IPv4 addresses in it alone, and is nothing by itself."""
    return any(address in network for network in (_MAPPED, _NAT64, _6TO4, _TEREDO))


def embedded(address: Address) -> list[IPv4Address]:
    """The IPv4 addresses that an IPv6 address stands for, or may lead to.

    Mapped, translated, compatible, 6to4, Teredo, NAT64 by its well-known prefix, ISATAP.
    """
    if isinstance(address, IPv4Address):
        return []
    found: list[IPv4Address | None] = [address.ipv4_mapped, address.sixtofour]
    found += list(address.teredo or ())
    last = IPv4Address(int(address) & 0xFFFF_FFFF)
    if address in _NAT64 or address in _TRANSLATED:
        found.append(last)
    # `::` and `::1` are no IPv4 addresses.
    if address in _COMPATIBLE and int(address) > 1:
        found.append(last)
    if (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP and int(address) >> 64:
        found.append(last)
    return [one for one in found if one is not None]
