"""Takes submissions from the course queues of an HTTP server: a poll for each queue, as long as there is room."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from time import monotonic

from xqueue_grader.transports.over_http.address import read_address
from xqueue_grader.transports.over_http.answers import UnavailableError
from xqueue_grader.transports.over_http.handed import Handed
from xqueue_grader.transports.over_http.lease import PolledLease
from xqueue_grader.transports.over_http.retries import Outage, Retries
from xqueue_grader.transports.over_http.server import Server
from xqueue_grader.transports.transport import Grading

log = logging.getLogger(__name__)

# A server that doesn't wait is asked so often while its queue is empty.
EMPTY_SECONDS = 1.0
# For what a poll brings that is cut off.
LAST_SECONDS = 2.0


class HttpTransport:
    """Polls each queue, and keeps what it is given until it is answered."""

    def __init__(self, url: str, queues: Sequence[str], prefetch: int) -> None:
        """Build it; raise ValueError for a URL that can't be used."""
        self._address = read_address(url)
        self._queues = queues
        self._prefetch = prefetch
        self._server = Server(self._address, len(queues))
        self._outage = Outage(self._address.base)
        self._at_hand: Counter[str] = Counter()  # by queue, with what polls under way may bring
        self._freed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def opened(self, broken: Callable[[str], None]) -> AbstractAsyncContextManager[None]:
        """Let calls be made."""
        return self._opened()

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            self._server.close()

    async def take(self, grading: Grading) -> None:
        """Poll all queues."""
        polling = [asyncio.create_task(self._poll_steadily(queue, grading)) for queue in self._queues]
        try:
            await asyncio.gather(*polling)
        finally:
            self._server.cut_off_polls()
            for task in polling:
                task.cancel()
            await asyncio.wait(polling)

    async def _poll_steadily(self, queue: str, grading: Grading) -> None:
        retries = Retries()
        what = f"polls of {queue}"
        while True:
            limit = await self._reserve(queue)
            began = monotonic()
            handed: list[Handed] = []
            try:
                handed = await self._poll(queue, limit)
            except UnavailableError as error:
                self._outage.tell(what, error)
                pause = retries.pause(error)
            else:
                self._outage.over(what)
                retries = Retries()
                pause = 0.0 if handed else max(0.0, EMPTY_SECONDS - (monotonic() - began))
            finally:
                self._free(queue, limit - len(handed))
            for each in handed:
                self._hand_over(each, queue, grading)
            await asyncio.sleep(pause)

    async def _poll(self, queue: str, limit: int) -> list[Handed]:
        """Poll once; what comes although we are stopping goes back."""
        poll = asyncio.create_task(self._server.poll(queue, limit))
        try:
            return await asyncio.shield(poll)
        except asyncio.CancelledError:
            self._server.cut_off_polls()
            with suppress(UnavailableError, TimeoutError):
                async with asyncio.timeout(LAST_SECONDS):
                    for each in await poll:
                        await self._server.release(each.header, failed=False)
            raise

    def _hand_over(self, handed: Handed, queue: str, grading: Grading) -> None:
        lease = PolledLease(handed, queue, self._server, self._outage, lambda: self._free(queue, 1))
        task = asyncio.create_task(grading.serve(lease))
        lease.keep(task)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reserve(self, queue: str) -> int:
        """Wait for room, and take it; return how much.

        Where leases can't be kept, nothing waits here: what is at hand is bounded for all queues together.
        """
        while True:
            keeps = self._server.can.keeps_leases
            taken = self._at_hand[queue] if keeps else self._at_hand.total()
            if (room := self._prefetch - taken) > 0:
                room = room if keeps else 1
                self._at_hand[queue] += room
                return room
            self._freed.clear()
            await self._freed.wait()

    def _free(self, queue: str, room: int) -> None:
        self._at_hand[queue] -= room
        self._freed.set()
