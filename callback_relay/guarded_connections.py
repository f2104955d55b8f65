"""Connections for callbacks: TLS that verifies, and no socket to an address that callbacks never go to.

Names are looked up once. The lookup's forbidden addresses are dropped, and each socket is made by a function that
judges the very address that it will be connected to, so that nothing between the two can change it.
"""

import socket
import ssl
from ipaddress import ip_address
from pathlib import Path

from aiohttp import TCPConnector, ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import AddrInfoType

from broker_setup.errors import SettingsError
from broker_setup.forbidden_addresses import why_forbidden


class AddressRefusedError(OSError):
    """The host is at an address that callbacks never go to."""


def tls_context(ca_bundle: Path | None) -> ssl.SSLContext:
    """Trust the certificates of `ca_bundle`, or the system's if it is None; raise SettingsError if it can't be read."""
    try:
        context = ssl.create_default_context(cafile=ca_bundle)
    except ssl.SSLError as error:
        raise SettingsError(f"CALLBACK_CA_BUNDLE: {ca_bundle} holds no certificates in PEM form") from error
    except OSError as error:
        raise SettingsError(f"CALLBACK_CA_BUNDLE: can't read {ca_bundle}: {error.strerror}") from error
    context.set_alpn_protocols(["http/1.1"])
    return context


def guarded_connector(limit: int, tls: ssl.SSLContext) -> TCPConnector:
    """Make a pool of at most `limit` connections; needs a running loop."""
    return TCPConnector(limit=limit, ssl=tls, resolver=_GuardedResolver(), socket_factory=_guarded_socket)


class _GuardedResolver(AbstractResolver):
    """Looks names up as the system does, and keeps the addresses that callbacks may go to."""

    def __init__(self) -> None:
        self._system = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._system.resolve(host, port, family)
        allowed = [one for one in found if _refusal(one["host"]) is None]
        if found and not allowed:
            raise AddressRefusedError(_refusal(found[0]["host"]))
        return allowed

    async def close(self) -> None:
        await self._system.close()


def _guarded_socket(addr_info: AddrInfoType) -> socket.socket:
    family, kind, protocol, _, address = addr_info
    if refusal := _refusal(str(address[0])):
        raise AddressRefusedError(refusal)
    return socket.socket(family, kind, protocol)


def _refusal(address: str) -> str | None:
    try:
        why = why_forbidden(ip_address(address))
    except ValueError:
        why = "no plain address"
    return why and f"the host is at {address}, {why}"
