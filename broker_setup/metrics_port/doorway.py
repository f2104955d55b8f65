"""Takes connections for a small server: few at a time, each for a moment, so that nobody takes what the service needs.

aiohttp bounds a request's head, but neither how many connections there are nor how long one says nothing.
"""

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Callable

from broker_setup.process.shortages import shortage

log = logging.getLogger(__name__)

# Of a Prometheus, a supervisor and some curious; in bytes some 64 KiB each, and as many descriptors.
MOST = 64
# From connecting to the end of the answer, which there is within a tenth of a second.
SECONDS = 10.0
# Between two looks at the clock.
LOOK_SECONDS = 1.0
# Before a connection is taken again, where this machine had nothing left for one.
PAUSE_SECONDS = 0.5


class Doorway:
    """Hands connections to what `protocol` makes; `open` it, `close` it."""

    def __init__(self, protocol: Callable[[], asyncio.Protocol], *, most: int = MOST, seconds: float = SECONDS) -> None:
        """Have `most` connections at once: the oldest goes for a new one. None lasts longer than `seconds`."""
        self._protocol = protocol
        self._most = most
        self._seconds = seconds
        self._listeners: list[socket.socket] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._inside: deque[tuple[float, asyncio.Transport]] = deque()
        self._is_short = False

    @property
    def port(self) -> int | None:
        """Where it listens; None while it does not."""
        return int(self._listeners[0].getsockname()[1]) if self._listeners else None

    async def open(self, host: str, port: int) -> None:
        """Listen at every address of `host`; raise OSError where that can't be."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        try:
            for family, _, _, _, address in dict.fromkeys(found):
                listener = socket.create_server(address[:2], family=family)
                listener.setblocking(False)
                self._listeners.append(listener)
        except OSError:
            await self.close()
            raise
        self._tasks = [loop.create_task(self._take(listener)) for listener in self._listeners]
        self._tasks.append(loop.create_task(self._look()))

    async def close(self) -> None:
        """Listen no more; whoever is inside has to be seen off by the server."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()

    async def _take(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(listener)
                transport, _ = await loop.connect_accepted_socket(self._protocol, accepted)
            except OSError as error:
                # Whoever came may have gone again; but what we are short of is not there a moment later either.
                if lacks := shortage(error):
                    self._say_once(lacks)
                    await asyncio.sleep(PAUSE_SECONDS)
            else:
                self._is_short = False
                self._let_in(transport)

    def _let_in(self, transport: asyncio.Transport) -> None:
        self._inside = deque(each for each in self._inside if not each[1].is_closing())
        self._inside.append((asyncio.get_running_loop().time() + self._seconds, transport))
        if len(self._inside) > self._most:
            self._inside.popleft()[1].abort()

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(LOOK_SECONDS, self._seconds / 2))
            while self._inside and self._inside[0][0] <= loop.time():
                self._inside.popleft()[1].abort()

    def _say_once(self, lacks: str) -> None:
        if not self._is_short:
            self._is_short = True
            log.warning("nobody can ask for the metrics or the health at the moment: %s", lacks)
