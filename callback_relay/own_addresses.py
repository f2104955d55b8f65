"""Where the names of XQueue's own services lead to, looked up now and then, so that no other name leads there."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from broker_setup.own_services import OwnServices, canonical

log = logging.getLogger(__name__)

REFRESH_SECONDS = 60.0

LookUp = Callable[[str], Awaitable[list[str]]]


class OwnAddresses:
    """The addresses and ports of our own services; `keep_up` looks their names up."""

    def __init__(self, own: OwnServices) -> None:
        self._own = own
        self._found: Mapping[tuple[str, int], str] = {}

    def refusal(self, address: str, port: int) -> str | None:
        """Say why no callback goes to an address and port; None if one may."""
        what = self._own.at(address, port) or self._found.get((canonical(address), port))
        return f"the host is at {address} port {port}, where {what} is" if what else None

    async def look_up(self, addresses_of: LookUp) -> None:
        """Find where the services are; of one that is not found, what was found before counts."""
        names = self._own.names
        answers = await asyncio.gather(*(addresses_of(name) for name in names), return_exceptions=True)
        found = dict(self._found)
        for (name, ports), addresses in zip(names.items(), answers, strict=True):
            if isinstance(addresses, BaseException):
                log.debug("where %s is was not found out: %r", name, addresses)
                continue
            found |= {(canonical(address), port): what for address in addresses for port, what in ports.items()}
        self._found = found

    async def keep_up(self, addresses_of: LookUp) -> None:
        """Look them up again and again until cancelled."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            await self.look_up(addresses_of)
