"""What the broker says of the queues, asked every few seconds: what is ready, and whether anybody asks for it."""

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from time import time

from broker_setup.amqp.channel import Channel
from broker_setup.amqp.errors import AmqpError
from broker_setup.errors import BrokerUnavailableError
from broker_setup.link.broker_calls import broker_calls, close_channel
from broker_setup.link.connection import Link
from broker_setup.topology import paused_queue, submissions_queue

# A gateway has a consumer for 5 s after a poll: of a grader that polls less often every few looks see one.
LOOK_SECONDS = 3.0
# A queue without a leader answers nothing: the others are looked at all the same.
GIVE_UP_SECONDS = 5.0
# What was seen longer ago says nothing of now.
OLD_SECONDS = 30.0


@dataclass(frozen=True)
class QueueLook:
    """A course queue at the broker; `asked_at` is when somebody was last seen to ask for its work, `since` we look."""

    since: float
    ready: int = 0
    consumers: int = 0
    is_paused: bool = False
    asked_at: float | None = None
    seen_at: float | None = None

    def is_fresh(self, now: float) -> bool:
        """Whether this is how it is, more or less."""
        return self.seen_at is not None and now - self.seen_at < OLD_SECONDS


class BrokerLook:
    """Looks at the course queues until its `run` is cancelled."""

    def __init__(self, link: Link, queues: Iterable[str]) -> None:
        self._link = link
        self._looks = {queue: QueueLook(time()) for queue in queues}

    def of(self, queue: str) -> QueueLook:
        """Return what was seen of a queue."""
        return self._looks.get(queue) or QueueLook(time())

    async def run(self) -> None:
        """Look, again and again."""
        while True:
            await self._link.wait_up()
            for queue in self._looks:
                with contextlib.suppress(BrokerUnavailableError), broker_calls("looking"):
                    async with asyncio.timeout(GIVE_UP_SECONDS):
                        await self._look_at(queue, await self._link.channel())
            await asyncio.sleep(LOOK_SECONDS)

    async def _look_at(self, queue: str, channel: Channel) -> None:
        try:
            ready, consumers = await channel.look_at(submissions_queue(queue))
            pauses = 0
            with contextlib.suppress(AmqpError):  # of a site that has not declared it yet
                pauses = await channel.count_ready(paused_queue(queue))
            now, before = time(), self._looks[queue]
            self._looks[queue] = replace(
                before,
                ready=ready,
                consumers=consumers,
                is_paused=pauses > 0,
                asked_at=now if consumers else before.asked_at,
                seen_at=now,
            )
        finally:
            await close_channel(channel)
