"""No callback goes to these addresses, in whatever form they come."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_setup.outbound.forbidden_addresses import why_forbidden

LINK_LOCAL, METADATA = "a link-local address", "a cloud's metadata address"
MULTICAST, UNSPECIFIED = "a multicast address", "an unspecified address"

FORBIDDEN = {
    "169.254.169.254": LINK_LOCAL,
    "169.254.0.0": LINK_LOCAL,
    "169.254.255.255": LINK_LOCAL,
    "169.254.170.2": LINK_LOCAL,  # AWS ECS
    "100.100.100.200": METADATA,
    "192.0.0.192": METADATA,
    "168.63.129.16": METADATA,
    "0.0.0.0": UNSPECIFIED,
    "0.1.2.3": UNSPECIFIED,
    "224.0.0.1": MULTICAST,
    "239.255.255.255": MULTICAST,
    "255.255.255.255": "the broadcast address",
    "fe80::1": LINK_LOCAL,
    "febf::1": LINK_LOCAL,
    "fe80::1%eth0": LINK_LOCAL,
    "fe80::a9fe:a9fe": LINK_LOCAL,  # OpenStack
    "fd00:ec2::254": METADATA,
    "fd00:ec2::23": METADATA,
    "fd00:ec2::254%1": METADATA,
    "fd20:ce::254": METADATA,
    "fd00:c1::a9fe:a9fe": METADATA,
    "fd00:42::42": METADATA,
    "fd00:a9fe:a9fe::1": METADATA,
    "::": UNSPECIFIED,
    "ff02::1": MULTICAST,
    # carried in IPv6
    "::ffff:169.254.169.254": LINK_LOCAL,
    "::ffff:a9fe:a9fe": LINK_LOCAL,
    "::ffff:0.0.0.0": UNSPECIFIED,
    "::ffff:100.100.100.200": METADATA,
    "::ffff:255.255.255.255": "the broadcast address",
    "::169.254.169.254": LINK_LOCAL,
    "::ffff:0:169.254.169.254": LINK_LOCAL,
    "64:ff9b::169.254.169.254": LINK_LOCAL,
    "64:ff9b::224.0.0.1": MULTICAST,
    "64:ff9b:1::169.254.169.254": LINK_LOCAL,
    "64:ff9b:1:a9fe:a9:fe00::": LINK_LOCAL,  # a prefix of 48 bits
    "64:ff9b:1:a9:fe:a9fe::": LINK_LOCAL,  # of 56
    "64:ff9b:1:5:a9:fea9:fe00:0": LINK_LOCAL,  # of 64
    "2002:a9fe:a9fe::1": LINK_LOCAL,
    "2002:6464:64c8::": METADATA,
    "2001:0:a9fe:a9fe::1": LINK_LOCAL,  # Teredo's server
    "2001:0:4136:e378:8000:63bf:5601:5601": LINK_LOCAL,  # Teredo's client, inverted
    "2001:db8::5efe:169.254.169.254": LINK_LOCAL,  # ISATAP
    "fd00::200:5efe:169.254.169.254": LINK_LOCAL,
}

ALLOWED = [
    "127.0.0.1",
    "127.255.0.1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "100.100.100.201",
    "169.253.255.255",
    "169.255.0.0",
    "223.255.255.255",
    "240.0.0.1",
    "93.184.216.34",
    "::1",
    "::ffff:127.0.0.1",
    "::10.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::10.0.0.1",
    "2002:a00:1::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::5efe:10.0.0.1",
    "fec0::1",
    "fd00::1",
    "fd00:ec3::254",
    "2606:2800:220:1::1",
]


@pytest.mark.parametrize("address", FORBIDDEN)
def test_a_forbidden_address_is_named_for_what_it_is(address: str) -> None:
    assert why_forbidden(ip_address(address)) == FORBIDDEN[address]


@pytest.mark.parametrize("address", ALLOWED)
def test_loopback_private_and_public_addresses_are_allowed(address: str) -> None:
    assert why_forbidden(ip_address(address)) is None


@given(number=st.integers(0, 2**32 - 1))
def test_an_ipv4_address_is_judged_the_same_in_every_ipv6_form(number: int) -> None:
    why = why_forbidden(IPv4Address(number))
    if number > 1:  # ::1 is loopback
        assert why_forbidden(IPv6Address(number)) == why
    for prefix in ("::ffff:0:0", "::ffff:0:0:0", "64:ff9b::"):
        assert why_forbidden(IPv6Address(int(IPv6Address(prefix)) + number)) == why
    assert why_forbidden(IPv6Address((0x2002 << 112) + (number << 80) + 1)) == why
