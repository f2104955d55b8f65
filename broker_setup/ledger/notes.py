"""Events that nobody waits for: written some time soon, and again where the ledger could not be written."""

import asyncio
import logging
from collections import deque

from broker_setup.errors import BrokerUnavailableError
from broker_setup.ledger.events import AnyEvent
from broker_setup.ledger.writer import LedgerWriter

log = logging.getLogger(__name__)

# Between two tries to write what could not be written.
RETRY_SECONDS = 1.0
# What is kept for that: an hour's outage at 30 submits a second.
MAX_UNWRITTEN = 100_000
AT_ONCE = 500


class Notes:
    """Writes events in the order in which they are noted, as long as the ledger takes them at the first try."""

    def __init__(self, writer: LedgerWriter) -> None:
        self._writer = writer
        self._unwritten: deque[AnyEvent] = deque()
        self._dropped = 0

    def note(self, event: AnyEvent) -> None:
        """Write an event; one that could not be written may come twice, which changes nothing for its readers."""
        try:
            appended = self._writer.append(event, hurry=False)
        except BrokerUnavailableError:
            self._keep(event)
        else:
            appended.confirmed.add_done_callback(lambda confirmed: self._noted(event, confirmed))

    async def run(self) -> None:
        """Write again what could not be written, until cancelled."""
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            while self._unwritten:
                events = [self._unwritten.popleft() for _ in range(min(len(self._unwritten), AT_ONCE))]
                try:
                    await asyncio.shield(self._writer.append(*events).confirmed)
                except BrokerUnavailableError:
                    self._unwritten.extendleft(reversed(events))
                    break

    def _noted(self, event: AnyEvent, confirmed: "asyncio.Future[None]") -> None:
        if confirmed.cancelled() or confirmed.exception():
            self._keep(event)

    def _keep(self, event: AnyEvent) -> None:
        if len(self._unwritten) >= MAX_UNWRITTEN:
            # Memory is bounded; by now the ledger has been away for an hour and an operator knows.
            self._dropped += 1
            if self._dropped % AT_ONCE == 1:
                log.error("the ledger has been away for long: %d events were dropped", self._dropped)
            return
        self._unwritten.append(event)
