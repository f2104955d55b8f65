"""What is to be sent on a connection: written once a turn of the loop, and kept as it is while nobody reads it.

Nothing is copied before it is written; how much may wait is for those who send to bound.
"""

import asyncio
from collections import deque

# At most so much is joined for one write, and so much waits beneath us while the broker reads slowly.
WRITE_BYTES = 64 * 1024
WAITING_BYTES = 1024 * 1024


class Outbox:
    """Writes to a transport, in the order of the calls."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.WriteTransport | None = None
        self._waiting: deque[bytes | memoryview] = deque()
        self._is_paused = False
        self.sent_at = self._loop.time()  # when something was written, by the loop's clock

    def open(self, transport: asyncio.WriteTransport) -> None:
        """Write to it from now on."""
        transport.set_write_buffer_limits(high=WAITING_BYTES)
        self._transport = transport

    def send(self, *pieces: bytes | memoryview) -> None:
        """Send with all else of this turn of the loop."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.extend(pieces)

    @property
    def is_waiting(self) -> bool:
        """Whether something waits to be written."""
        return bool(self._waiting)

    def write(self, raw: bytes) -> None:
        """Write at once, before what waits: not in the midst of frames."""
        if self._transport:
            self.sent_at = self._loop.time()
            self._transport.write(raw)

    def pause(self) -> None:
        """Keep what is sent: the broker does not read."""
        self._is_paused = True

    def resume(self) -> None:
        """Go on."""
        self._is_paused = False
        self._flush()

    def close(self) -> None:
        """Send nothing any more."""
        self._waiting.clear()
        self._transport = None

    def _flush(self) -> None:
        waiting = self._waiting
        while waiting and not self._is_paused:
            pieces, size = [], 0
            while waiting and size < WRITE_BYTES:
                piece = waiting.popleft()
                pieces.append(piece)
                size += len(piece)
            self.write(b"".join(pieces))
