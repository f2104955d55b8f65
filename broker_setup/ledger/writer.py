"""Group commit: events are written in frames; while one frame's confirm is under way, the next one collects."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from time import monotonic, time

from msgspec import Struct

from broker_setup.errors import BrokerUnavailableError, XQueueError
from broker_setup.ledger.events import AnyEvent, Leased
from broker_setup.ledger.frames import Frame, encode_frame, new_frame_id
from broker_setup.link.publisher import Publisher
from broker_setup.topology import LEDGER, LEDGER_EXCHANGE

log = logging.getLogger(__name__)

# A frame of this many leases is about 600 kB: below the broker's limits, and read in a blink.
MAX_EVENTS = 1_000
# Headers of the LMS may have 100 kB; a broker takes messages of 16 MiB.
MAX_BYTES = 4 * 1024 * 1024
# A frame costs its writer and every reader some 0.2 ms of CPU, whatever is in it. So frames follow each other at this
# pace at the most; an event that comes alone is written at once.
PACE_SECONDS = 0.002
# A frame has its confirm, or not, within 2.5 s, and one may be under way before it.
STORE_SECONDS = 6.0
# What may wait in memory while the broker does not confirm; more is refused.
MAX_WAITING = 100_000


class Appended(Struct, frozen=True):
    """Where an event will stand: in the frame of this id, at this index, once `confirmed` is done."""

    frame: bytes
    index: int
    confirmed: asyncio.Future[None]


@dataclass
class _Batch:
    id: bytes = field(default_factory=new_frame_id)
    events: list[AnyEvent] = field(default_factory=list)
    size: int = 0
    confirmed: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class LedgerWriter:
    """Appends events to the ledger, in the order in which they are given."""

    def __init__(self, publisher: Publisher, name: str, clock: Callable[[], float] = time) -> None:
        self._publisher = publisher
        self._name = name
        self._clock = clock
        self._waiting: deque[_Batch] = deque()
        self._is_flushing = False
        self._sent_at = float("-inf")

    async def wait_up(self) -> None:
        """Return once there is a connection to write on."""
        await self._publisher.wait_up()

    def append(self, *events: AnyEvent) -> Appended:
        """Give events to the next frame, all to the same; without any, write a marker.

        `confirmed` is done when the broker has the frame, or holds a BrokerUnavailableError: then it may have it or
        not. Raise BrokerUnavailableError at once if too much waits already.
        """
        if len(self._waiting) * MAX_EVENTS > MAX_WAITING:
            raise BrokerUnavailableError("the ledger takes nothing at the moment")
        size = 0
        for event in events:
            if isinstance(event, Leased):
                size += len(event.sealed)
        batch = self._waiting[-1] if self._waiting else None
        if batch is None or len(batch.events) + len(events) > MAX_EVENTS or batch.size + size > MAX_BYTES:
            batch = _Batch()
            self._waiting.append(batch)
        index = len(batch.events)
        batch.events.extend(events)
        batch.size += size
        if not self._is_flushing:
            # At the end of this turn of the loop: what else comes in it shares the frame.
            self._is_flushing = True
            asyncio.get_running_loop().call_soon(self._flush)
        return Appended(batch.id, index, batch.confirmed)

    async def store(self, *events: AnyEvent) -> None:
        """Append events and return once the broker has them; without any, learn whether the ledger takes something.

        Raise BrokerUnavailableError if that fails or takes too long: then the broker may have them or not.
        """
        try:
            async with asyncio.timeout(STORE_SECONDS):
                # Shielded: others wait for the same frame.
                await asyncio.shield(self.append(*events).confirmed)
        except TimeoutError:
            raise BrokerUnavailableError("the ledger takes nothing in time") from None

    def _flush(self) -> None:
        # One frame in flight at a time: the order of the frames is the order of the events.
        while self._waiting:
            pause = self._sent_at + PACE_SECONDS - monotonic()
            if pause > 0:
                asyncio.get_running_loop().call_later(pause, self._flush)
                return
            batch = self._waiting.popleft()
            self._sent_at = monotonic()
            try:
                message = encode_frame(Frame(batch.id, self._name, batch.events, self._clock()))
                stored = self._publisher.begin_to_publish(message, exchange=LEDGER_EXCHANGE, routing_key=LEDGER)
            except Exception as error:  # noqa: BLE001 - whoever appended is told
                _fail(batch.confirmed, error)
            else:
                stored.add_done_callback(partial(self._stored, batch))
                return
        self._is_flushing = False

    def _stored(self, batch: _Batch, stored: asyncio.Future[None]) -> None:
        if error := stored.exception():
            _fail(batch.confirmed, error)
        elif not batch.confirmed.done():
            batch.confirmed.set_result(None)
        self._flush()


def _fail(confirmed: asyncio.Future[None], error: BaseException) -> None:
    why = str(error)
    if not isinstance(error, XQueueError):
        # A mistake of ours: it costs this frame, and must not stop all that follow.
        log.error("a frame of the ledger could not be written", exc_info=error)
        why = "a mistake in XQueue, of which the log tells"
    if not confirmed.done():
        confirmed.set_exception(BrokerUnavailableError(f"the ledger could not be written: {why}"))
        confirmed.exception()  # whoever only noted something does not ask
