"""Whether this gateway could serve right now: connections, confirms, and the topology it needs."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from broker_setup.amqp.errors import NOT_FOUND, ChannelClosedError
from broker_setup.errors import BrokerUnavailableError
from broker_setup.ledger.ledger import Ledger
from broker_setup.link.broker_calls import broker_calls
from broker_setup.link.connection import Link
from broker_setup.link.publisher import Publisher
from broker_setup.process.coalesced import Coalesced
from broker_setup.topology import CHECKED_EXCHANGE, CHECKED_QUEUE, SUBMISSIONS_EXCHANGE, submissions_queue
from gateway.http.departure import Departure

if TYPE_CHECKING:
    from broker_setup.amqp.channel import Channel

ANSWER_SECONDS = 2.0
# Callers wait less. The look itself is given up, and its channel closed, only so that none stands for ever.
GIVE_UP_SECONDS = 30.0
# It answers every call; or reaches for the broker or the ledger, and takes some calls at most; or was told to stop.
STATES = SERVING, TRYING, LEAVING = "serving", "trying", "leaving"


class Readiness:
    """Finds what keeps the gateway from serving, by one look for all who ask at the same time."""

    def __init__(
        self,
        *,
        links: Sequence[Link],
        asking: Link,
        publisher: Publisher,
        ledger: Ledger,
        queues: Iterable[str],
        notices: Iterable[str] = (),
        departure: Departure,
    ) -> None:
        """`links` must be up; on `asking`, one of them, the broker is asked whether queues and exchanges are there.

        Those are the queues of the course queues in `queues`, and `notices`, without which nothing can be parked.
        """
        self._links = links
        self._link = asking
        self._channel: Channel | None = None  # for all questions of all looks, until a refusal closes it
        self._publisher = publisher
        self._departure = departure
        self._ledger = ledger
        self._queues = [CHECKED_QUEUE, *(submissions_queue(queue) for queue in queues), *notices]
        self._look = Coalesced(self._missing)

    async def problems(self) -> list[str]:
        """Return a sentence for each thing that is wrong; empty if all is well."""
        if known := self.known_problems():
            return known
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                missing = await self._look()
        except TimeoutError:
            return ["the broker does not answer in time"]
        except BrokerUnavailableError as error:
            return [str(error)]
        return [f"{name} is missing: run `xqueue-broker declare`" for name in missing]

    @property
    def state(self) -> str:
        """What the gateway is at, in one of STATES, as far as that is known without asking the broker."""
        if self._departure.has_begun or self._departure.is_over:
            return LEAVING
        return TRYING if self.known_problems() else SERVING

    def known_problems(self) -> list[str]:
        """Do what `problems` does, without asking the broker."""
        down = [f"no connection to the broker ({link.name})" for link in self._links if not link.is_up]
        if self._departure.has_begun:
            down.insert(0, "it was told to stop")
        if down:
            return down
        if self._publisher.problem:
            return [self._publisher.problem]
        problem = self._ledger_problem()
        return [problem] if problem else []

    @property
    def clock_ahead(self) -> float:
        """How far this machine's clock is ahead of most of those that write the ledger (seconds; negative: behind)."""
        return self._ledger.clock_ahead

    def _ledger_problem(self) -> str:
        if self._ledger.problem:
            return f"{self._ledger.problem}; submits are taken, polls and results not yet"
        return self._ledger.clock_problem and f"{self._ledger.clock_problem}; submits and results are taken"

    async def _missing(self) -> list[str]:
        wanted = [(SUBMISSIONS_EXCHANGE, True), (CHECKED_EXCHANGE, True), *((queue, False) for queue in self._queues)]
        with broker_calls("the broker does not answer"):
            async with asyncio.timeout(GIVE_UP_SECONDS):
                return [name for name, is_exchange in wanted if not await self._exists(name, is_exchange=is_exchange)]

    async def _exists(self, name: str, *, is_exchange: bool) -> bool:
        if self._channel is None or self._channel.is_closed:
            self._channel = await self._link.channel()
        try:
            if is_exchange:
                await self._channel.find_exchange(name)
            else:
                await self._channel.count_ready(name)
        except ChannelClosedError as error:
            if error.code != NOT_FOUND:
                raise
            return False
        return True
