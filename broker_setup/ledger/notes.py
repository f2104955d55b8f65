"""Events that need not be read back: written some time soon, and again where the ledger could not be written."""

import asyncio
import contextlib
import logging
from collections import deque

from broker_setup.errors import BrokerUnavailableError
from broker_setup.ledger.events import AnyEvent, Submitted
from broker_setup.ledger.writer import LedgerWriter

log = logging.getLogger(__name__)

# What is noted lingers this long, so that many share a frame, also of a stream of submits: to write one and to read it
# back costs as much as a submit. Nobody waits for it.
LINGER_SECONDS = 0.05
# Between two tries to write what could not be written.
RETRY_SECONDS = 1.0
# What is kept for that: an hour's outage at 30 submits a second.
MAX_NOTED = 100_000
# And for all but submits once more as much. Without a submit's event a submission is graded as any other; without a
# lease's end it waits until the lease has run out, and without the others the ledger does not say what became of it.
MAX_OTHERS = 100_000
AT_ONCE = 500


class Notes:
    """Writes events in the order in which they are noted; one whose confirm got lost may come twice."""

    def __init__(self, writer: LedgerWriter) -> None:
        self._writer = writer
        self._noted: deque[AnyEvent] = deque()
        self._some = asyncio.Event()
        self._dropped = 0

    def note(self, event: AnyEvent) -> None:
        """Have an event written while `run` runs."""
        if not self._has_room_for(event):
            # Memory is bounded; by now the ledger has been away for an hour and an operator knows.
            self._drop(1)
            return
        self._noted.append(event)
        self._some.set()

    def write(self, event: AnyEvent) -> asyncio.Future[None]:
        """Have an event written at once; what is returned is done when it is stored, and failed when that failed.

        Then it is noted, and no less written than anything else that is.
        """
        try:
            confirmed = self._writer.append(event).confirmed
        except BrokerUnavailableError as error:
            self.note(event)
            confirmed = asyncio.get_running_loop().create_future()
            confirmed.set_exception(error)
            confirmed.exception()  # who does not ask need not
            return confirmed
        confirmed.add_done_callback(lambda done: self.note(event) if done.cancelled() or done.exception() else None)
        return confirmed

    def _has_room_for(self, event: AnyEvent) -> bool:
        if len(self._noted) < MAX_NOTED:
            return True
        if isinstance(event, Submitted):
            return False
        if len(self._noted) >= MAX_NOTED + MAX_OTHERS:
            # All at once: to look for one each time would cost more with each.
            others = [noted for noted in self._noted if not isinstance(noted, Submitted)]
            self._drop(len(self._noted) - len(others))
            self._noted = deque(others)
        return len(self._noted) < MAX_NOTED + MAX_OTHERS

    def _drop(self, number: int) -> None:
        before, self._dropped = self._dropped, self._dropped + number
        if number and (not before or before // AT_ONCE < self._dropped // AT_ONCE):
            log.error("the ledger has been away for long: %d events were dropped", self._dropped)

    async def run(self) -> None:
        """Write what is noted, until cancelled."""
        while True:
            await self._some.wait()
            if len(self._noted) < AT_ONCE:
                await asyncio.sleep(LINGER_SECONDS)
            self._some.clear()
            try:
                await self._write()
            except BrokerUnavailableError:
                await asyncio.sleep(RETRY_SECONDS)
            if self._noted:
                self._some.set()

    async def flush(self) -> None:
        """Write what is noted at once, if the ledger takes it: for the end of a process."""
        with contextlib.suppress(BrokerUnavailableError):
            while self._noted:
                await self._write()

    async def _write(self) -> None:
        events = [self._noted.popleft() for _ in range(min(len(self._noted), AT_ONCE))]
        try:
            await asyncio.shield(self._writer.append(*events).confirmed)
        except BaseException:
            self._noted.extendleft(reversed(events))
            raise
