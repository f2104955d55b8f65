"""Asks the broker every few seconds how many messages of each course queue are with nobody; the ledger can't know."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from time import monotonic

from broker_setup.amqp.channel import Channel
from broker_setup.amqp.errors import NOT_FOUND, ChannelClosedError
from broker_setup.errors import BrokerUnavailableError
from broker_setup.link.broker_calls import broker_calls, close_channel
from broker_setup.link.connection import Link
from broker_setup.topology import submissions_queue

log = logging.getLogger(__name__)

EVERY_SECONDS = 2.0
# A queue without a leader answers no question: its channel is given up after so long, and the others are asked.
GIVE_UP_SECONDS = 5.0
# What was said longer ago says nothing of now.
OLD_SECONDS = 30.0


class ReadyCounts:
    """The broker's counts, by course queue; `run` asks for them."""

    def __init__(self, link: Link, queues: Iterable[str]) -> None:
        self._link = link
        self._queues = list(queues)
        self._said: dict[str, tuple[int, float]] = {}  # and when

    @property
    def known(self) -> Mapping[str, int]:
        """What the broker has said lately; a queue that it said nothing of is not there."""
        now = monotonic()
        return {queue: ready for queue, (ready, at) in self._said.items() if now - at < OLD_SECONDS}

    async def run(self) -> None:
        """Ask until cancelled."""
        channel: Channel | None = None
        while True:
            await self._link.wait_up()
            for queue in self._queues:
                try:
                    with broker_calls(f"counting {queue}"):
                        async with asyncio.timeout(GIVE_UP_SECONDS):
                            if channel is None or channel.is_closed:
                                channel = await self._link.channel()
                            await self._ask(channel, queue)
                except BrokerUnavailableError as error:
                    log.debug("%s", error)
                    if channel:
                        await close_channel(channel)
                    channel = None
            await asyncio.sleep(EVERY_SECONDS)

    async def _ask(self, channel: Channel, queue: str) -> None:
        try:
            self._said[queue] = await channel.count_ready(submissions_queue(queue)), monotonic()
        except ChannelClosedError as error:
            if error.code != NOT_FOUND:
                raise
            self._said.pop(queue, None)  # it is not declared yet
