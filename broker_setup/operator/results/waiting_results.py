"""Looks at the results that wait on rungs for their next try, and calls them in: back to the relay at once.

Of each the copy is confirmed before the delivery is acked: killed anywhere, nothing is lost, and what was under way may
be there twice, which the relay delivers once.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from time import time

from broker_setup.amqp.messages import Arrival
from broker_setup.ledger.events import Act, Acted
from broker_setup.operator.filters import alike
from broker_setup.operator.intake import taking_in
from broker_setup.operator.portions import FIRST_TURN, RateLimit, to_its_end
from broker_setup.operator.session import Session
from broker_setup.settings import Settings
from broker_setup.topology import CHECKED_EXCHANGE, CHECKED_QUEUE
from broker_setup.wire.parked import fresh_copy, plain_headers
from broker_setup.wire.properties import TRIES_HEADER, is_uuid
from broker_setup.wire.waits import Wait, read_wait

# Looking costs the broker little.
LOOK_RATE = 1_000_000


@dataclass(frozen=True)
class Filter:
    """Which results are meant; None stands for all."""

    origin: str | None = None
    queue: str | None = None
    uuid: str | None = None

    def takes(self, result: "WaitingResult") -> bool:
        """Say whether a result is meant."""
        return (
            (self.origin is None or alike(result.wait.origin, self.origin))
            and self.queue in {None, result.wait.queue}
            and self.uuid in {None, result.uuid}
        )


@dataclass(frozen=True)
class WaitingResult:
    """A result on a rung: whose it is, why it waits and until when, how often it was tried, when it was made."""

    uuid: str
    rung: str
    wait: Wait
    tries: int
    graded_at: datetime | None


@dataclass
class Found:
    """What a run has met: the results that are meant, how many it saw, called in, and could not get hold of."""

    results: list[WaitingResult] = field(default_factory=list)
    seen: int = 0
    called: int = 0
    missed: int = 0


class WaitingResults:
    """One run of a command over the rungs; what it has met so far stands in `found`."""

    def __init__(
        self, settings: Settings, rungs: Iterable[str], meant: Filter, progress: Callable[[Found], None]
    ) -> None:
        """Go over `rungs`; `progress` is called every so often."""
        self._rungs = tuple(rungs)
        self._session = Session(settings, "xqueue-broker results")
        self._meant = meant
        self._progress = progress
        self.found = Found()

    async def look(self) -> None:
        """Meet them, and leave everything as it was."""
        await self._through_all(LOOK_RATE)

    async def call_in(self, rate: int, *, by: str) -> None:
        """Send them back to the relay, `rate` a second at the most; the ledger hears `by` whom."""
        await self._through_all(rate, by)

    async def _through_all(self, rate: int, by: str | None = None) -> None:
        limit = RateLimit(rate)
        async with self._session.open(read_ledger=False):
            for rung in self._rungs:
                await self._through(rung, limit, by)

    async def _through(self, rung: str, limit: RateLimit, by: str | None) -> None:
        async with taking_in(self._session.source) as intake:
            await intake.open(rung)
            while intake.left:
                if not (batch := await intake.take(min(FIRST_TURN, intake.left))):
                    # Its time came meanwhile, and it is with the relay.
                    self.found.missed += intake.left
                    break
                meant = self._select(batch, rung)
                if by is None:
                    continue
                for start in range(0, len(meant), limit.portion):
                    portion = meant[start : start + limit.portion]
                    await limit.wait(len(portion))

                    async def settle(portion: Sequence[Arrival] = portion, by: str = by) -> None:
                        if acts := _called_in(portion, by):
                            await self._session.ledger.store(*acts)
                        await asyncio.gather(*map(self._publish, portion))
                        await intake.ack(portion)
                        self.found.called += len(portion)

                    await to_its_end(settle())
                    self._progress(self.found)

    def _select(self, batch: Sequence[Arrival], rung: str) -> list[Arrival]:
        meant = []
        for message in batch:
            self.found.seen += 1
            result = read_waiting(message, rung)
            if self._meant.takes(result):
                self.found.results.append(result)
                meant.append(message)
        self._progress(self.found)
        return meant

    async def _publish(self, message: Arrival) -> None:
        # As the rung would have sent it, with its tries: that it waited less is all that is new.
        copy = fresh_copy(message, plain_headers(message.headers))
        await self._session.publisher.publish_copy(copy, exchange=CHECKED_EXCHANGE, routing_key=CHECKED_QUEUE)


def _called_in(portion: Iterable[Arrival], by: str) -> list[Acted]:
    uuids = (message.correlation_id or "" for message in portion)
    return [Acted(time(), bytes.fromhex(uuid), Act.CALLED_IN, by) for uuid in uuids if is_uuid(uuid)]


def read_waiting(message: Arrival, rung: str) -> WaitingResult:
    """Read a delivery of a rung, whatever it is."""
    tries = message.headers.get(TRIES_HEADER)
    return WaitingResult(
        uuid=message.correlation_id or "",
        rung=rung,
        wait=read_wait(message.headers),
        tries=tries if isinstance(tries, int) else 0,
        graded_at=message.timestamp,
    )
