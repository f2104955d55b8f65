"""Knows the addresses that no callback may go to, in every form that IPv6 has for them: no I/O.

What is here answers to whoever can reach it, and gives away credentials or the network's own services. Loopback and
private addresses are not: an LMS is often there.
"""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

_LINK_LOCAL = "a link-local address"
_METADATA = "a cloud's metadata address"
_MULTICAST = "a multicast address"
_UNSPECIFIED = "an unspecified address"

_FORBIDDEN_V4 = (
    (IPv4Network("0.0.0.0/8"), _UNSPECIFIED),  # Linux takes 0.0.0.0 for loopback
    (IPv4Network("169.254.0.0/16"), _LINK_LOCAL),  # the metadata of most clouds
    (IPv4Network("224.0.0.0/4"), _MULTICAST),
    (IPv4Network("255.255.255.255/32"), "the broadcast address"),
    (IPv4Network("100.100.100.200/32"), _METADATA),  # Alibaba
    (IPv4Network("192.0.0.192/32"), _METADATA),  # Oracle
    (IPv4Network("168.63.129.16/32"), _METADATA),  # Azure's wire server
)
_FORBIDDEN_V6 = (
    (IPv6Network("::/128"), _UNSPECIFIED),
    (IPv6Network("fe80::/10"), _LINK_LOCAL),  # OpenStack's metadata, among others
    (IPv6Network("ff00::/8"), _MULTICAST),
    (IPv6Network("fd00:ec2::/32"), _METADATA),  # AWS: instances, EKS pods, and more
    (IPv6Network("fd20:ce::254/128"), _METADATA),  # Google
    (IPv6Network("fd00:c1::a9fe:a9fe/128"), _METADATA),  # Oracle
    (IPv6Network("fd00:42::42/128"), _METADATA),  # Scaleway
    (IPv6Network("fd00:a9fe:a9fe::1/128"), _METADATA),  # Linode
)

_LOOPBACK = IPv6Address("::1")
# RFC 8215: a site's own NAT64, whose prefix may be 48, 56, 64 or 96 bits long; octet 8 is skipped (RFC 6052).
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
_LOCAL_NAT64_PLACES = ((6, 7, 9, 10), (7, 9, 10, 11), (9, 10, 11, 12), (12, 13, 14, 15))
_TEREDO = IPv6Network("2001::/32")
_ISATAP = (b"\x00\x00\x5e\xfe", b"\x02\x00\x5e\xfe")
# Where in the 16 octets the other forms carry an IPv4 address.
_CARRIERS = (
    (IPv6Network("::/96"), slice(12, 16)),  # IPv4-compatible
    (IPv6Network("::ffff:0:0/96"), slice(12, 16)),  # IPv4-mapped
    (IPv6Network("::ffff:0:0:0/96"), slice(12, 16)),  # IPv4-translated
    (IPv6Network("64:ff9b::/96"), slice(12, 16)),  # NAT64
    (IPv6Network("2002::/16"), slice(2, 6)),  # 6to4
    (_TEREDO, slice(4, 8)),  # Teredo's server
)


def why_forbidden(address: IPv4Address | IPv6Address) -> str | None:
    """Say what `address` is if no callback may go there ("a link-local address"), None if one may."""
    if isinstance(address, IPv4Address):
        return _why(address, _FORBIDDEN_V4)
    carried = (why for one in carried_by(address) if (why := _why(one, _FORBIDDEN_V4)))
    return _why(address, _FORBIDDEN_V6) or next(carried, None)


def _why(address: IPv4Address | IPv6Address, forbidden: Sequence[tuple[IPv4Network | IPv6Network, str]]) -> str | None:
    return next((why for network, why in forbidden if address in network), None)


def carried_by(address: IPv6Address) -> Iterator[IPv4Address]:
    """Give each IPv4 address that a translator or a tunnel may take `address` for."""
    octets = address.packed
    if octets == _LOOPBACK.packed:
        return
    for network, place in _CARRIERS:
        if address in network:
            yield IPv4Address(octets[place])
    if address in _TEREDO:
        yield IPv4Address(bytes(octet ^ 0xFF for octet in octets[12:16]))
    if octets[8:12] in _ISATAP:
        yield IPv4Address(octets[12:16])
    if address in _LOCAL_NAT64:
        candidates = (IPv4Address(bytes(octets[at] for at in places)) for places in _LOCAL_NAT64_PLACES)
        # Of the four readings three are wrong, and mostly zeros.
        yield from (one for one in candidates if one not in _FORBIDDEN_V4[0][0])
