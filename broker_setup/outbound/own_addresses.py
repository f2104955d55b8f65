"""Where the names of XQueue's own services lead to, looked up now and then, so that no other name leads there.

What listens on this machine may do so at all of its addresses: a service at one of them is taken to be at each.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from ipaddress import IPv6Address, ip_address

from broker_setup.outbound.forbidden_addresses import carried_by
from broker_setup.outbound.own_services import THIS_MACHINE, OwnServices, canonical

log = logging.getLogger(__name__)

REFRESH_SECONDS = 60.0

LookUp = Callable[[str], Awaitable[list[str]]]

_ANY_PORT = 9


def is_here(address: str) -> bool:
    """Whether `address` is one of this machine's own; nothing is sent for that."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # Where there is no descriptor for it, that is an error: a callback goes nowhere unjudged.
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        try:
            # The system picks the address that it would send from, which is the same one only here.
            asking.connect((address, _ANY_PORT))
        except OSError:
            return False
        return canonical(asking.getsockname()[0]) == canonical(address)


class OwnAddresses:
    """The addresses and ports of our own services; `keep_up` looks their names up."""

    def __init__(self, own: OwnServices, is_here: Callable[[str], bool] = is_here) -> None:
        """`is_here` says whether an address is one of this machine's."""
        self._own = own
        self._is_here = is_here
        self._found: Mapping[tuple[str, int], str] = {}

    def refusal(self, address: str, port: int) -> str | None:
        """Say why no callback goes to an address and port; None if one may."""
        what = next((what for place in _places(address) if (what := self._at(place, port))), None)
        # The system is asked only where there is something to guard.
        if what is None and (ours := self._at(THIS_MACHINE, port)) and any(map(self._is_here, _places(address))):
            what = ours
        return f"the host is at {address} port {port}, where {what} is" if what else None

    def _at(self, place: str, port: int) -> str | None:
        return self._own.at(place, port) or self._found.get((place, port))

    async def look_up(self, addresses_of: LookUp) -> None:
        """Find where the services are; of one that is not found, what was found before counts."""
        hosts = self._own.hosts
        answers = await asyncio.gather(*(self._places_of(host, addresses_of) for host in hosts), return_exceptions=True)
        found = dict(self._found)
        for (host, ports), places in zip(hosts.items(), answers, strict=True):
            if isinstance(places, BaseException):
                log.debug("where %s is was not found out: %r", host, places)
                continue
            found |= {(place, port): what for place in places for port, what in ports.items()}
        self._found = found

    async def _places_of(self, host: str, addresses_of: LookUp) -> set[str]:
        places = {canonical(address) for address in await _addresses(host, addresses_of)}
        if any(map(self._is_here, places - {THIS_MACHINE})):
            places.add(THIS_MACHINE)
        return places

    async def keep_up(self, addresses_of: LookUp) -> None:
        """Look them up again and again until cancelled."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            await self.look_up(addresses_of)


def _places(address: str) -> Iterator[str]:
    """Give what `address` is, and what a translator or a tunnel may take it for."""
    yield canonical(address)
    parsed = ip_address(address)
    if isinstance(parsed, IPv6Address):
        yield from (canonical(str(one)) for one in carried_by(parsed))


async def _addresses(host: str, addresses_of: LookUp) -> list[str]:
    try:
        return [str(ip_address(host))]
    except ValueError:
        return await addresses_of(host)
