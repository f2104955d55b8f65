"""Group commit: events are written in frames; while one frame's confirm is under way, the next one collects."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from broker_setup.errors import BrokerUnavailableError, XQueueError
from broker_setup.ledger.events import AnyEvent
from broker_setup.ledger.frames import Frame, encode_frame, new_frame_id
from broker_setup.publisher import Publisher
from broker_setup.topology import LEDGER

# A frame of this many leases is about 600 kB: below the broker's limits, and read in a blink.
MAX_EVENTS = 1_000
# What may wait in memory while the broker does not confirm; more is refused.
MAX_WAITING = 100_000


@dataclass(frozen=True)
class Appended:
    """Where an event will stand: in the frame of this id, at this index, once `confirmed` is done."""

    frame: bytes
    index: int
    confirmed: asyncio.Future[None]


@dataclass
class _Batch:
    id: bytes = field(default_factory=new_frame_id)
    events: list[AnyEvent] = field(default_factory=list)
    confirmed: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class LedgerWriter:
    """Appends events to the ledger, in the order in which they are given."""

    def __init__(self, publisher: Publisher, name: str) -> None:
        self._publisher = publisher
        self._name = name
        self._waiting: deque[_Batch] = deque()
        self._flushing: asyncio.Task[None] | None = None

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
        if not self._waiting or len(self._waiting[-1].events) + len(events) > MAX_EVENTS:
            self._waiting.append(_Batch())
        batch = self._waiting[-1]
        index = len(batch.events)
        batch.events.extend(events)
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        return Appended(batch.id, index, batch.confirmed)

    async def _flush(self) -> None:
        # One frame in flight at a time: the order of the frames is the order of the events.
        while self._waiting:
            batch = self._waiting.popleft()
            try:
                message = encode_frame(Frame(batch.id, self._name, batch.events))
                await self._publisher.publish(message, exchange="", routing_key=LEDGER)
            except XQueueError as error:
                batch.confirmed.set_exception(BrokerUnavailableError(f"the ledger could not be written: {error}"))
                batch.confirmed.exception()  # whoever only noted something does not ask
            else:
                batch.confirmed.set_result(None)
        self._flushing = None
