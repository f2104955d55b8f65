"""Connections for callbacks: no socket to an address that callbacks never go to.

Names are looked up once. The lookup's forbidden addresses are dropped, and each socket is made by a function that
checks the very address that it will be connected to, so that nothing between the two can change it.
"""

import asyncio
import socket
import ssl
from ipaddress import ip_address
from typing import Any

import pycares
from aiohttp import AsyncResolver
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import AddrInfoType

from broker_setup.outbound.bounded_answers import BoundedConnector
from broker_setup.outbound.forbidden_addresses import why_forbidden
from broker_setup.outbound.own_addresses import OwnAddresses
from broker_setup.process.parsing_turns import ParsingTurns

# Less than REQUESTS_TIMEOUT is unless set, so that the reason says what was slow.
LOOKUP_SECONDS = 4.0
# A name server that says nothing is asked again, the first time after this; 250 ms once it has shown that it is quick.
FIRST_PATIENCE_SECONDS = 1.0
# Enough to fill LOOKUP_SECONDS, as the patience doubles.
QUESTIONS = 5
# Of an answer, on the wire: its head, and a body's chunks however small they are.
MOST_BYTES = 256 * 1024
# What the system may have received before we read it; it takes twice as much, for its own needs. TLS opens at once all
# that is read, in nobody's turn, and 256 KiB in records of one byte take 20 ms. An LMS's answer has one or two KiB.
RECEIVED_BYTES = 8 * 1024


# Of a name, looked at: whoever owns it may give it thousands, and to look at each takes a moment.
MOST_ADDRESSES = 16


class AddressRefusedError(OSError):
    """The host is at an address that callbacks never go to."""


class LookupTimeoutError(OSError):
    """The name servers did not say in time where the host is."""


def guarded_connector(
    limit: int,
    tls: ssl.SSLContext,
    names: "GuardedNames",
    turns: ParsingTurns,
    *,
    keep: bool = True,
    most_bytes: int = MOST_BYTES,
) -> BoundedConnector:
    """Make a pool of at most `limit` connections to hosts that `names` finds; needs a running loop.

    `turns` are those of all the loop's connections. Unless it is to `keep` them, none is used twice. One ends where an
    answer has more than `most_bytes` on the wire.
    """
    return BoundedConnector(
        most_bytes=most_bytes,
        turns=turns,
        limit=limit,
        ssl=tls,
        resolver=names,
        socket_factory=names.socket,
        force_close=not keep,
    )


def system_names(**others: Any) -> AbstractResolver:
    """Look names up as the system is configured (/etc/hosts, resolv.conf); `others` are options of aiodns.

    Not with getaddrinfo, which takes a thread for each name for as long as its name servers are silent.
    """
    # Not by TCP either: whoever owns a name could give it 64 KiB of addresses, which take a quarter of a second each
    # time that it is asked for. What fits a datagram is more than any LMS has.
    flags = pycares.ARES_FLAG_IGNTC | pycares.ARES_FLAG_EDNS
    return AsyncResolver(timeout=FIRST_PATIENCE_SECONDS, tries=QUESTIONS, flags=flags, **others)


class GuardedNames(AbstractResolver):
    """Looks names up as the system does, and keeps the addresses that callbacks may go to; needs a running loop."""

    def __init__(self, own: OwnAddresses) -> None:
        self._system = system_names()
        self._own = own

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return where `host` is; raise AddressRefusedError, LookupTimeoutError, or OSError if nobody knows it."""
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                found = await self._system.resolve(host, port, family)
        except TimeoutError:
            raise LookupTimeoutError(f"the host's name was not found out within {LOOKUP_SECONDS:g} s") from None
        found = found[:MOST_ADDRESSES]
        allowed = [one for one in found if self._refusal(one["host"], port) is None]
        if found and not allowed:
            raise AddressRefusedError(self._refusal(found[0]["host"], port))
        return allowed

    async def addresses_of(self, host: str) -> list[str]:
        """Return the addresses of `host`, whatever may go there."""
        async with asyncio.timeout(LOOKUP_SECONDS):
            return [one["host"] for one in await self._system.resolve(host, 0, socket.AF_UNSPEC)]

    def socket(self, addr_info: AddrInfoType) -> socket.socket:
        """Make the socket that is connected to an address, or raise AddressRefusedError."""
        family, kind, protocol, _, address = addr_info
        if refusal := self._refusal(str(address[0]), int(address[1])):
            raise AddressRefusedError(refusal)
        made = socket.socket(family, kind, protocol)
        # It counts only before connecting.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED_BYTES)
        return made

    def _refusal(self, address: str, port: int) -> str | None:
        return _refusal(address) or self._own.refusal(address, port)

    async def close(self) -> None:
        """End the lookups that are under way."""
        await self._system.close()


def _refusal(address: str) -> str | None:
    try:
        why = why_forbidden(ip_address(address))
    except ValueError:
        why = "no plain address"
    return why and f"the host is at {address}, {why}"
