"""Consumes the results' two queues, one relay at a time: the one that has the lock, while the others stand by.

The lock is an exclusive queue, which goes with the connection that the deliveries come on. (RabbitMQ's single active
consumer would do the same, but then nobody can look into the queue, and quorum queues know no exclusive consumers.)
"""

import logging
from collections.abc import Callable, Sequence
from enum import Enum

from broker_setup.amqp.channel import Channel
from broker_setup.amqp.errors import NOT_FOUND, ChannelClosedError
from broker_setup.amqp.messages import Arrival
from broker_setup.errors import BrokerUnavailableError
from broker_setup.link.broker_calls import close_channel
from broker_setup.link.connection import Link
from broker_setup.link.refusals import is_locked
from broker_setup.link.steady_consumer import SteadyConsumer
from broker_setup.topology import CHECKED_QUEUE, RELAY_LOCK, RESULTS_QUEUE

# A relay that stands by takes over in so many seconds at most, once the broker has noticed that the other one is gone.
STANDBY_SECONDS = 3.0

log = logging.getLogger(__name__)


class ConsumerState(Enum):
    """What a relay is at."""

    WORKING = "working"  # results come to it
    STANDING_BY = "standing_by"  # another one works, and it takes over when that ends
    TRYING = "trying"  # no connection, or no queues: it tries again every second


class ResultsConsumer(SteadyConsumer):
    """A steady consumer of results that waits for its turn.

    Of each queue so many are here at the most, so that a flood of one leaves room for what comes by the other. Both
    come on one channel, and are void with it.
    """

    def __init__(
        self,
        link: Link,
        *,
        prefetch: int,
        unread_prefetch: int,
        others: Sequence[str],
        received: Callable[[Arrival], None],
        received_unread: Callable[[Arrival], None],
        lost: Callable[[], None],
    ) -> None:
        """Consume once the queues `others` are there, too, to which results go from here.

        `received_unread` gets what no process of ours has looked at yet.
        """
        super().__init__(link, CHECKED_QUEUE, prefetch=prefetch, received=received, lost=lost)
        self._unread_prefetch = unread_prefetch
        self._received_unread = received_unread
        self._others = others
        self._stands_by = False
        self._locked_on = 0  # which connection of the link has the lock; 0: none

    @property
    def state(self) -> ConsumerState:
        """What this relay is at."""
        if self.is_consuming:
            return ConsumerState.WORKING
        return ConsumerState.STANDING_BY if self._stands_by and self._link.is_up else ConsumerState.TRYING

    async def prepare(self, channel: Channel) -> None:
        """Look whether the queues are there, and take the lock; without them, let it go to a relay that has them."""
        for name in (CHECKED_QUEUE, RESULTS_QUEUE, *self._others):
            try:
                await channel.count_ready(name)
            except ChannelClosedError as error:
                if error.code != NOT_FOUND:
                    raise
                await self._unlock()
                raise BrokerUnavailableError(f"queue {name!r} is missing: run `xqueue-broker declare`") from error
        await channel.declare_exclusive(RELAY_LOCK)
        self._locked_on = self._link.opened
        self._stands_by = False

    async def begin(self, channel: Channel) -> list[str]:
        """Consume the one queue, then the other."""
        tags = await super().begin(channel)
        await channel.set_prefetch(self._unread_prefetch)  # of consumers that begin after this
        return [*tags, await channel.consume(RESULTS_QUEUE, self._received_unread)]

    @property
    def pause(self) -> float:
        """Seconds until the next try: each one that finds the lock taken is an error in RabbitMQ's log."""
        return STANDBY_SECONDS if self._stands_by else super().pause

    async def _unlock(self) -> None:
        # The lock goes with the connection, and that outlives a channel whose queue was missing.
        if self._locked_on == self._link.opened:
            self._locked_on = 0
            channel = await self._link.channel()
            await channel.delete_queue(RELAY_LOCK)
            await close_channel(channel)

    def failed(self, error: Exception) -> None:
        """Say once that it stands by, where another relay has the lock; else what is wrong."""
        if not is_locked(error):
            self._stands_by = False
            super().failed(error)
        elif not self._stands_by:
            log.info("standing by: another relay consumes the results")
            self._stands_by = True
