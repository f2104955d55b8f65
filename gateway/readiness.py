"""Whether this gateway could serve right now: connections, confirms, and the topology it needs."""

import asyncio
from collections.abc import Iterable

from aiormq.exceptions import ChannelNotFoundEntity

from broker_setup.errors import BrokerUnavailableError
from broker_setup.link.connection import Link, broker_calls
from broker_setup.link.publisher import Publisher
from broker_setup.topology import RESULTS_EXCHANGE, RESULTS_QUEUE, SUBMISSIONS_EXCHANGE, submissions_queue
from gateway.leasing.ledger import Ledger

ANSWER_SECONDS = 2.0


class Readiness:
    """Finds what keeps the gateway from serving."""

    def __init__(
        self, *, publishing: Link, consuming: Link, publisher: Publisher, ledger: Ledger, queues: Iterable[str]
    ) -> None:
        self._links = (publishing, consuming)
        self._link = consuming
        self._publisher = publisher
        self._ledger = ledger
        self._queues = [RESULTS_QUEUE, *(submissions_queue(queue) for queue in queues)]

    async def problems(self) -> list[str]:
        """Return a sentence for each thing that is wrong; empty if all is well."""
        down = [f"no connection to the broker ({link.name})" for link in self._links if not link.is_up]
        if down:
            return down
        if self._publisher.is_blocked:
            return ["the broker confirms nothing: it may be out of memory or disk"]
        if self._ledger.problem:
            return [f"{self._ledger.problem}; submits are taken, polls and results not yet"]
        # A task of its own: the caller's hanging up must not cancel a broker call.
        return await asyncio.shield(asyncio.create_task(self._missing()))

    async def _missing(self) -> list[str]:
        wanted = [(SUBMISSIONS_EXCHANGE, True), (RESULTS_EXCHANGE, True), *((queue, False) for queue in self._queues)]
        try:
            with broker_calls("the broker does not answer"):
                async with asyncio.timeout(ANSWER_SECONDS):
                    found = [await self._exists(name, is_exchange=is_exchange) for name, is_exchange in wanted]
        except BrokerUnavailableError as error:
            return [str(error)]
        return [
            f"{name} is missing: run `xqueue-broker declare`"
            for (name, _), there in zip(wanted, found, strict=True)
            if not there
        ]

    async def _exists(self, name: str, *, is_exchange: bool) -> bool:
        # A refusal closes the channel, so each question has its own.
        channel = await self._link.channel()
        try:
            if is_exchange:
                await channel.get_exchange(name, ensure=True)
            else:
                await channel.declare_queue(name, passive=True)
        except ChannelNotFoundEntity:
            return False
        await channel.close()
        return True
