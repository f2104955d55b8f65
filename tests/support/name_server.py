"""A DNS server of our own: some names lead to this machine, and some it never says a word about."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

_HEADER_BYTES = 12
_A = b"\0\1"
# The question's name, A, IN, 60 seconds, four bytes: 127.0.0.1.
_LOOPBACK = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1"


class NameServer(asyncio.DatagramProtocol):
    """Answers 127.0.0.1 to every name but those that begin with `hang`; `asked` counts the questions for each."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    @property
    def address(self) -> str:
        host, port = self._transport.get_extra_info("sockname")
        return f"{host}:{port}"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        end = data.index(b"\0", _HEADER_BYTES)
        name = _name(data[_HEADER_BYTES:end])
        self.asked[name] += 1
        if name.startswith("hang"):
            return
        question = data[_HEADER_BYTES : end + 5]
        answers = int(data[end + 1 : end + 3] == _A)
        head = data[:2] + b"\x81\x80" + bytes((0, 1, 0, answers, 0, 0, 0, 0))
        self._transport.sendto(head + question + _LOOPBACK * answers, addr)


def _name(labels: bytes) -> str:
    parts = []
    while labels:
        length = labels[0]
        parts.append(labels[1 : length + 1].decode("ascii"))
        labels = labels[length + 1 :]
    return ".".join(parts)


@asynccontextmanager
async def running_name_server() -> AsyncIterator[NameServer]:
    """Serve names on a free port for as long as the block runs."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    try:
        yield server
    finally:
        transport.close()
