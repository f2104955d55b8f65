"""How a gateway leaves: it says so, takes no more connections, answers those that it has, and tells them to close."""

import asyncio
import logging
import signal
from contextlib import suppress
from types import FrameType

import uvicorn

from gateway.http.connection import BoundedConnection
from gateway.http.departure import Departure

log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 0.1
_CLOSE = (b"connection", b"close")


class LeavingServer(uvicorn.Server):
    """A server that leaves when SIGTERM tells it to stop, for so many seconds at most; told again, it stops at once."""

    def __init__(self, config: uvicorn.Config, departure: Departure, *, delay: float, seconds: float) -> None:
        """For `delay` seconds before that it only says that it goes; with 0 of both it stops at the first word."""
        super().__init__(config)
        self._departure = departure
        self._delay = delay
        self._seconds = seconds
        self._is_told = False
        self._leaves: asyncio.Task[None] | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note a signal; what it means is done in the event loop."""
        if sig == signal.SIGTERM and (self._delay or self._seconds) and self.started and not self._is_told:
            self._is_told = True
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Begin to leave if that was said; return whether to stop."""
        if self._is_told and self._leaves is None:
            self._leaves = asyncio.create_task(self._leave())
        stops = await super().on_tick(counter)
        if stops:
            self._departure.end_waits()
        return stops

    async def _leave(self) -> None:
        self._departure.begin()
        _tell_to_close(self)
        try:
            await asyncio.sleep(self._delay)
            if self._seconds:
                await leave(self, self._seconds)
        finally:
            # As if it had been told only now: it ends in the same way.
            super().handle_exit(signal.SIGTERM, None)


async def leave(server: uvicorn.Server, seconds: float) -> None:
    """Have a server that has started take no more connections; return when none is left, or after so many seconds.

    Those that have asked nothing yet are kept, too, as their request may be on its way: by itself uvicorn closes them.
    """
    for listening in server.servers:
        listening.close()
    log.info("taking no more connections: %d are left", len(server.server_state.connections))
    _tell_to_close(server)
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            # One that came in this very round of the event loop is among them in the next.
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            while server.server_state.connections:  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(LOOK_EVERY_SECONDS)


def _tell_to_close(server: uvicorn.Server) -> None:
    if _CLOSE not in server.config.encoded_headers:
        server.config.encoded_headers.append(_CLOSE)
        server.server_state.default_headers.append(_CLOSE)
    for connection in server.server_state.connections:
        # Whose answer has begun is told with the next one: it would be closed unawares.
        cycle = connection.cycle if isinstance(connection, BoundedConnection) else None
        if cycle is not None and not cycle.response_started:
            cycle.keep_alive = False
