"""Names as an attacker's DNS has them, and a record of where this process really connected to."""

import asyncio
import socket
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from broker_setup.outbound import guarded_connections


class FakeNames(AbstractResolver):
    """Takes the place of the system's lookup for the names that it is told; all others are looked up as ever."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: Counter[str] = Counter()
        self.connected: list[str] = []
        self._answers: dict[str, list[Sequence[str]]] = {}
        self._system_names = guarded_connections.system_names
        monkeypatch.setattr(guarded_connections, "system_names", self._open)
        loop = asyncio.selector_events.BaseSelectorEventLoop
        really = loop.sock_connect

        async def connect(running: Any, sock: socket.socket, address: Any) -> None:
            self.connected.append(address[0])
            await really(running, sock, address)

        monkeypatch.setattr(loop, "sock_connect", connect)

    def say(self, name: str, *answers: Sequence[str]) -> None:
        """Let `name` lead to the first answer's addresses, at its second lookup to the second's, and so on."""
        self._answers[name] = list(answers)

    def _open(self) -> AbstractResolver:
        self._system = self._system_names()
        return self

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_UNSPEC) -> list[ResolveResult]:
        answers = self._answers.get(host.lower())
        if answers is None:
            return await self._system.resolve(host, port, family)
        self.asked[host.lower()] += 1
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [_found(host, address, port) for address in addresses]

    async def close(self) -> None:
        await self._system.close()


def _found(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)
