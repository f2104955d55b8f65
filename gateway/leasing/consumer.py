"""Keeps a consumer on one RabbitMQ queue for as long as somebody asks for its messages.

It only carries out what demand.py decides. All broker calls are made in its own task, so that a client that hangs up
never cancels one: that would close the channel and requeue everything held on it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from time import monotonic

from broker_setup.amqp.channel import Channel
from broker_setup.amqp.errors import AmqpError
from broker_setup.amqp.messages import Arrival
from broker_setup.errors import BrokerUnavailableError
from broker_setup.link.broker_calls import broker_calls, close_channel
from broker_setup.link.connection import Link
from broker_setup.process.once_a_turn import OnceATurn
from broker_setup.topology import submissions_queue
from gateway.leasing.deliveries import Deliveries
from gateway.leasing.demand import (
    FIRST_PREFETCH,
    MAX_BUFFERED_BYTES,
    Step,
    View,
    expected_size,
    next_prefetch,
    next_step,
)
from gateway.leasing.pause_seen import PauseSeen

log = logging.getLogger(__name__)

# How often a consumer that runs looks at its situation; a paused one waits for a poll.
TICK_SECONDS = 0.25
RETRY_SECONDS = 0.2
# The broker sends what it has at once: after so long without a delivery, a consumer with prefetch left has all.
QUIET_SECONDS = 0.05


class SubmissionsConsumer:
    """A consumer that starts on demand, rotates when its prefetch is used up, and pauses when nobody asks, or may."""

    def __init__(
        self,
        link: Link,
        queue: str,
        deliveries: Deliveries,
        *,
        received: Callable[[Arrival], None],
        give_back: Callable[[], None],
        is_paused: Callable[[], Awaitable[bool]],
    ) -> None:
        """Have messages `received` unless the queue `is_paused`; `give_back` returns those that wait for a poll."""
        self._link = link
        self._queue = queue
        self._about = {"queue": queue.removeprefix(submissions_queue(""))}
        self._deliveries = deliveries
        self._received = received
        self._give_back = give_back
        self.pause = PauseSeen(self._about["queue"], is_paused)
        self._wake = asyncio.Event()
        self._look_soon = OnceATurn(self._look)
        self._tag: str | None = None
        self._channel_lost = False
        self._prefetch = FIRST_PREFETCH
        self._body_bytes = 0
        self._last_poll = float("-inf")
        self._polls = 0
        self._wanted = 0  # the most that one poll asked for since the present consumer began
        self._quiet_since = 0.0
        self.stopped_at = float("-inf")  # monotonic: when the last consumer ended
        self.failure = "the broker has not answered yet"

    @property
    def is_consuming(self) -> bool:
        """Whether the broker delivers to us."""
        return self._tag is not None

    @property
    def hopeful_until(self) -> float:
        """Until when (monotonic) a delivery may still be on its way; infinity if we could not have got one yet."""
        if self._tag is None or self._deliveries.unacked(self._tag) >= self._prefetch:
            return float("inf")
        return self._quiet_since + QUIET_SECONDS

    def demand(self, wanted: int) -> None:
        """Note that somebody asks for up to `wanted` messages."""
        self._last_poll = monotonic()
        self._polls += 1
        self._wanted = max(self._wanted, wanted)
        self.nudge()

    def look_again(self) -> None:
        """Note that an operator has paused the queue, or lets it go on."""
        self.pause.forget()
        if self._tag is not None or self.pause.is_paused:
            self._wake.set()

    def expect(self) -> None:
        """Note that a message may be on its way: it was published just now."""
        self._quiet_since = monotonic()

    def nudge(self) -> None:
        """Wake the task if there is something to do by now: a poll or a delivery came, or a lease used up prefetch.

        That is looked at once for all that comes in a turn of the loop, and nearly always there is nothing.
        """
        self._look_soon()

    def _look(self) -> None:
        if self._tag is None or next_step(self._view()) is not Step.STAY:
            self._wake.set()

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            await self._wake.wait()
            try:
                # No timeout here but that of the link: nobody waits for this task.
                channel = await self._link.channel()
                with broker_calls("the consumer was lost"):
                    await self._serve(channel)
            except BrokerUnavailableError as error:
                self._fail(str(error))
            finally:
                self._stop()
                self._deliveries.forget()
            # Go on only for a poll that came within the last second or still waits; else wait for the next.
            if monotonic() - self._last_poll > 1 and not self._deliveries.buffered().waiting:
                self._wake.clear()
            await asyncio.sleep(RETRY_SECONDS)

    async def _serve(self, channel: Channel) -> None:
        self._channel_lost = False
        self.pause.forget()  # the broker was away, and who knows what happened
        channel.on_closed.add(self._on_closed)
        channel.on_cancelled.add(self._on_cancelled_by_broker)
        try:
            while not self._channel_lost:
                self._wake.clear()
                await self._take_step(next_step(self._view()), channel)
        finally:
            channel.on_closed.discard(self._on_closed)
            # Whether the broker cancelled it or we end, closing gives back what is held on it. Forgotten first,
            # as an ack that comes after the close would cost the whole connection.
            self.hand_back()
            await close_channel(channel)

    async def _take_step(self, step: Step, channel: Channel) -> None:
        match step:
            case Step.CONSUME:
                await self._consume(channel, next_prefetch(0, max(FIRST_PREFETCH, self._wanted), self._body_bytes))
            case Step.ROTATE:
                # The new one first, so that deliveries don't pause; the old one's stay unacked and ours.
                old = self._tag
                await self._consume(channel, next_prefetch(self._prefetch, self._wanted, self._body_bytes))
                if old is not None:
                    await channel.cancel(old)
            case Step.LOOK:
                await self._look_at_pause()
            case Step.PAUSE:
                # First cancelled, then given back, or they would be delivered to us again at once.
                old = self._tag
                self._stop()
                if old is not None:
                    await channel.cancel(old)
                self._give_back()
            case Step.STAY:
                looks = self._tag or self._deliveries.buffered().number or self.pause.is_paused
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(TICK_SECONDS if looks else None):
                        await self._wake.wait()

    async def _look_at_pause(self) -> None:
        try:
            await self.pause.look()
        except BrokerUnavailableError as error:
            self._fail(str(error))
            if self._tag is not None:
                self.pause.still_holds()  # it was not paused, and goes on until the broker says otherwise
            await asyncio.sleep(RETRY_SECONDS)
            return
        if self.pause.is_paused:
            self._deliveries.wake()  # polls that wait for nothing are told so

    async def _consume(self, channel: Channel, prefetch: int) -> None:
        await channel.set_prefetch(prefetch)
        tag = await channel.consume(self._queue, self._on_message)
        # Only now, and without an await in between: until here polls go by the old consumer's values.
        self._tag, self._prefetch = tag, prefetch
        self._quiet_since = monotonic()
        self._polls = self._wanted = 0

    def _on_message(self, message: Arrival) -> None:
        if self._channel_lost:
            return
        self._deliveries.came(message.consumer_tag)
        self._quiet_since = monotonic()
        self._body_bytes = expected_size(self._body_bytes, len(message.body))
        self._received(message)
        if self._tag is None and self._deliveries.buffered().bytes > MAX_BUFFERED_BYTES:
            # The consumer is cancelled as too much waits; these the broker had sent before it heard of that.
            self._give_back()
        self.nudge()

    def _view(self) -> View:
        now = monotonic()
        buffered = self._deliveries.buffered()
        return View(
            consuming=self._tag is not None,
            prefetch=self._prefetch,
            held=max(0, self._deliveries.unacked(self._tag) - buffered.number) if self._tag else 0,
            buffered=buffered.number,
            buffered_bytes=buffered.bytes,
            oldest=buffered.oldest,
            waiting=buffered.waiting,
            polls=self._polls,
            idle=now - self._last_poll,
            wanted=self._wanted,
            is_paused=self.pause.is_paused,
            seen=self.pause.age(now),
        )

    def _on_closed(self, channel: Channel, error: AmqpError) -> None:
        if self._link.is_up:
            self._fail(str(error))
        self.hand_back()

    def _on_cancelled_by_broker(self, tag: str) -> None:
        self._fail("the broker cancelled the consumer: the queue was deleted or moved")
        self.hand_back()

    def hand_back(self) -> None:
        """Give the channel up: from now on, not from when the task runs next, what is held on it is the broker's."""
        self._channel_lost = True
        self._stop()
        self._deliveries.forget()
        self._wake.set()

    def _stop(self) -> None:
        if self._tag is not None:
            self._tag = None
            self.stopped_at = monotonic()

    def _fail(self, why: str) -> None:
        if why != self.failure:
            log.warning("queue %s: %s", self._queue, why, extra=self._about | {"reason": why})
        self.failure = why
