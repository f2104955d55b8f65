"""Whether graders have room for more: asked of the broker, which knows who consumes and what waits."""

import asyncio
from typing import TYPE_CHECKING

from broker_setup.link.broker_calls import broker_calls, close_channel
from broker_setup.link.connection import Link
from broker_setup.link.pauses import Pauses
from broker_setup.topology import paused_queue, submissions_queue

if TYPE_CHECKING:
    from broker_setup.amqp.channel import Channel

ANSWER_SECONDS = 2.0


def has_room(ready: int, consumers: int, ahead: int) -> bool:
    """Say whether one more may be taken where `ready` wait and so many consume.

    A gateway consumes while graders poll, a bridge and AMQP graders while they run: what nobody consumes would wait
    here in vain, and there for its five minutes to be over. What a grader has prefetched waits no more.
    """
    return consumers > 0 and ready < ahead


class Room:
    """Asks about one course queue."""

    def __init__(self, link: Link, queue: str, ahead: int) -> None:
        self._link = link
        self._queue = queue
        self._ahead = ahead
        self._pauses = Pauses(link, paused_queue)
        self._channel: Channel | None = None

    async def is_there(self) -> bool:
        """Say whether one more may be taken; raise BrokerUnavailableError if the broker does not say."""
        if await self._pauses.is_paused(self._queue):
            return False
        channel, self._channel = self._channel, None
        with broker_calls("the broker does not say what waits in the queue"):
            if channel is None or channel.is_closed:
                channel = await self._link.channel()
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    ready, consumers = await channel.look_at(submissions_queue(self._queue))
            except TimeoutError:
                # Its answer may come yet, and would be taken for the next one's.
                await close_channel(channel)
                raise
        self._channel = channel
        return has_room(ready, consumers, self._ahead)
