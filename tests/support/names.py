"""Names as an attacker's DNS has them, and a record of where this process really connected to."""

import asyncio
import socket
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest


class FakeNames:
    """Takes the place of the system's lookup for the names that it is told; all others are looked up as ever."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: Counter[str] = Counter()
        self.connected: list[str] = []
        self._answers: dict[str, list[Sequence[str]]] = {}
        self._look_up = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._answer)
        loop = asyncio.selector_events.BaseSelectorEventLoop
        really = loop.sock_connect

        async def connect(running: Any, sock: socket.socket, address: Any) -> None:
            self.connected.append(address[0])
            await really(running, sock, address)

        monkeypatch.setattr(loop, "sock_connect", connect)

    def say(self, name: str, *answers: Sequence[str]) -> None:
        """Let `name` lead to the first answer's addresses, at its second lookup to the second's, and so on."""
        self._answers[name] = list(answers)

    def _answer(self, host: Any, port: Any, *others: Any, **more: Any) -> list[Any]:
        answers = self._answers.get(str(host).lower())
        if answers is None:
            return self._look_up(host, port, *others, **more)
        self.asked[str(host).lower()] += 1
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [_info(address, port) for address in addresses]


def _info(address: str, port: int) -> Any:
    if ":" in address:
        return (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port, 0, 0))
    return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port))
