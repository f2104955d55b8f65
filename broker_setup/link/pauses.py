"""Whether course queues are paused: something lies in the queue that says so, and anybody may ask how much.

Nothing is taken out by that, and no process has to remember anything: what the broker says holds for all, survives
whatever is started again, and ends by itself at its time.
"""

import asyncio
import logging
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from ..amqp.errors import ACCESS_REFUSED, NOT_FOUND, ChannelClosedError
from ..errors import BrokerUnavailableError
from .broker_calls import broker_calls, close_channel
from .connection import Link

if TYPE_CHECKING:
    from ..amqp.channel import Channel

log = logging.getLogger(__name__)

# What was seen is good for so long. So whoever did not hear of a pause hands nothing out after that.
LOOK_SECONDS = 5.0
# A broker that is well needs a millisecond. One queue without a leader must not keep whoever asks from all else.
ANSWER_SECONDS = 2.0
# In a topology of 0.1.0 nothing can be paused, and each look costs the broker a line in its log.
UNDECLARED_SECONDS = 30.0


class Pauses:
    """Asks the broker, on a channel for each queue that is asked about."""

    def __init__(self, link: Link, paused_queue: Callable[[str], str]) -> None:
        """Ask over `link`; `paused_queue` names the queue in which something lies while a course queue is paused."""
        self._link = link
        self._paused_queue = paused_queue
        self._channels: dict[str, Channel] = {}
        self._undeclared: dict[str, float] = {}  # when (monotonic) that was seen

    async def is_paused(self, queue: str) -> bool:
        """Say whether the course queue is paused; one that can't be, or that we may not ask about, is not.

        Raise BrokerUnavailableError if the broker does not say.
        """
        if monotonic() - self._undeclared.get(queue, -UNDECLARED_SECONDS) < UNDECLARED_SECONDS:
            return False
        channel = self._channels.get(queue)
        try:
            with broker_calls("the broker does not say whether the queue is paused"):
                if channel is None or channel.is_closed:
                    channel = self._channels[queue] = await self._link.channel()
                async with asyncio.timeout(ANSWER_SECONDS):
                    return await channel.count_ready(self._paused_queue(queue)) > 0
        except BrokerUnavailableError as error:
            self._channels.pop(queue, None)
            refusal = error.__cause__
            if _is_undeclared(refusal):
                self._note_undeclared(queue, str(refusal))
                return False
            if channel and not channel.is_closed:
                await close_channel(channel)
            raise

    def declared(self, queue: str) -> None:
        """Note that the queue can be paused by now, as it was."""
        self._undeclared.pop(queue, None)

    def _note_undeclared(self, queue: str, why: str) -> None:
        if queue not in self._undeclared:
            log.warning("queue %s can't be paused before `xqueue-broker declare` or `setup` was run: %s", queue, why)
        self._undeclared[queue] = monotonic()


def _is_undeclared(refusal: BaseException | None) -> bool:
    if not isinstance(refusal, ChannelClosedError):
        return False
    # RabbitMQ also says "not found" of a queue that is there, while the nodes that have it come back.
    return refusal.code == ACCESS_REFUSED or (refusal.code == NOT_FOUND and "no queue" in str(refusal))
