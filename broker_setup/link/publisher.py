"""Confirmed, mandatory, concurrent publishing: a publish has happened, or it says clearly that it may not have."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from time import monotonic

from aio_pika import Message
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelClosed

from broker_setup.errors import BrokerUnavailableError
from broker_setup.link.broker_calls import broker_calls, close_channel
from broker_setup.link.confirmed import publish_confirmed
from broker_setup.link.connection import Link
from broker_setup.link.publishing_channels import PublishingChannels, Way
from broker_setup.link.pulse import Pulse
from broker_setup.link.refusals import in_words
from broker_setup.link.room_for_copies import RoomForCopies
from broker_setup.link.size_limit import SizeLimit
from broker_setup.link.unconfirmed import Unconfirmed
from broker_setup.process.beside import Turnstile

log = logging.getLogger(__name__)

# Below the 3 s in which a gateway's caller has its answer.
CONFIRM_TIMEOUT_SECONDS = 2.5
# After this long without its confirm, a publish has the connection looked at.
DOUBT_SECONDS = 0.8
# A queue elects another leader in 7 or 8 s. A publish without a confirm after this may be lost with the old leader.
LOST_SECONDS = 10.0
# How much may wait in memory while the broker is blocked: so many messages in all, each as large as a submission, and
# so many for one routing key.
MAX_UNCONFIRMED = 5_000
MAX_OF_KEY = 4_000
# RabbitMQ stops reading a connection some 400 messages after a queue has 32 unanswered: so no more than this go to one
# that has confirmed nothing for a second while the connection answers (else it may be we who are slow).
MAX_DOUBTFUL = 200
DOUBTFUL_SECONDS = 1.0
# A channel that we part from stays open for so long if copies wait on it: their confirms are late, or were lost with a
# leader. All copies together are 32 MiB at most, so a broker that stores half a megabyte a second confirms in time.
PATIENCE_SECONDS = 60.0
# How often a copy looks whether a silent queue answers again.
LOOK_SECONDS = 0.25
# A publish that has not ended so long after its channel was closed never would.
ENDED_SECONDS = 1.0


class _SilentQueueError(BrokerUnavailableError):
    """Nothing was sent: a queue confirms nothing at the moment."""


class Publisher:
    """Publishes on one link, for each routing key of an exchange on a channel of its own.

    A publish to an exchange that is missing, or not ours to write to, closes its channel under all that is unconfirmed
    on it, and the first one to a queue without a leader stops its channel for seconds: what goes elsewhere must not
    suffer from that. Give it a link of its own: under a memory or disk alarm the broker stops reading from connections
    that publish.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._pulse = Pulse(link)
        self._opened = 0  # the link's connection to which all of this belongs
        self._channels = PublishingChannels(link, self._on_channel_closed)
        self._under_way: dict[asyncio.Task[None], AbstractChannel | None] = {}  # which channel each is on
        self._unconfirmed = Unconfirmed()
        self._closing: set[asyncio.Task[None]] = set()
        # A message is copied whole, a few times, on its way to the socket.
        self._large = Turnstile()
        self._copies: set[asyncio.Task[None]] = set()  # those of _under_way that are copies of deliveries
        self._room = RoomForCopies()
        self._size_limit = SizeLimit()

    async def wait_up(self) -> None:
        """Return once there is a connection to publish on."""
        await self._link.wait_up()

    @property
    def problem(self) -> str:
        """Why the broker takes nothing from us, whatever it is for; empty if it does, as far as we know."""
        return self._pulse.problem

    async def publish(self, message: Message, *, exchange: str, routing_key: str) -> None:
        """Publish and return when the broker has it on disk.

        Raise UnroutableError if no queue takes it, MessageTooLargeError if the broker's max_message_size is below it,
        BrokerUnavailableError if the broker is away, blocked or silent for 2.5 s - then it may or may not have been
        stored. Cancelling the caller does not cancel the publish.
        """
        self._size_limit.check(len(message.body))
        self._refuse_what_would_wait((exchange, routing_key))
        task = self._begin(message, exchange, routing_key)
        await self._wait(task, at_most=CONFIRM_TIMEOUT_SECONDS)

    async def publish_copy(
        self, message: Message, *, exchange: str, routing_key: str, held: Callable[[], bool] = lambda: True
    ) -> None:
        """Publish the copy of a delivery that is acked when this returns, and wait for its confirm as long as it takes.

        One that is given up after a moment may be stored all the same, and its delivery comes back: then there are two
        of it, and at each turn more. So here BrokerUnavailableError says that nothing was sent, or that the channel or
        the connection ended before a confirm came. It is not sent when its delivery is `held` no more.
        """
        async with self._room.taken(len(message.body)):
            self._size_limit.check(len(message.body))
            while True:
                if not held():
                    raise BrokerUnavailableError("its delivery is void, and comes again")
                try:
                    self._refuse_what_would_wait((exchange, routing_key))
                    break
                except _SilentQueueError:
                    await asyncio.sleep(LOOK_SECONDS)
            task = self._begin(message, exchange, routing_key)
            self._copies.add(task)
            task.add_done_callback(self._copies.discard)
            looking = asyncio.get_running_loop().call_later(
                PATIENCE_SECONDS, self._look_for, task, (exchange, routing_key)
            )
            try:
                await self._wait(task, at_most=None)
            finally:
                looking.cancel()

    def _look_for(self, copy: asyncio.Task[None], way: Way) -> None:
        """Have a copy's channel closed where publishes after it are confirmed and it is not: its confirm got lost."""
        if copy.done():
            return
        if self._unconfirmed.waits(way[1], copy):
            asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._look_for, copy, way)
        elif self._channels.current(way) is self._under_way[copy]:
            self._part_from(way, f"a confirm for {way[1]!r} got lost")

    def _begin(self, message: Message, exchange: str, routing_key: str) -> asyncio.Task[None]:
        # A task of its own, not cancelled while its channel is open: that would leave the count of confirms in doubt.
        task = asyncio.create_task(self._publish(message, exchange, routing_key))
        self._under_way[task] = None
        self._unconfirmed.sent(routing_key, task, monotonic())
        task.add_done_callback(partial(self._ended, routing_key))
        return task

    async def _wait(self, task: asyncio.Task[None], *, at_most: float | None) -> None:
        done, _ = await asyncio.wait({task}, timeout=DOUBT_SECONDS)
        if not done:
            self._pulse.look()
            done, _ = await asyncio.wait({task}, timeout=at_most and at_most - DOUBT_SECONDS)
        if not done:
            raise BrokerUnavailableError("the broker did not confirm in time")
        if task.cancelled():
            raise BrokerUnavailableError("the broker was lost before it confirmed")
        task.result()

    def _refuse_what_would_wait(self, way: Way) -> None:
        key = way[1]
        if self._link.opened != self._opened:
            # What became of publishes on the last connection says nothing about this one.
            self._opened = self._link.opened
            self._channels.forget()
            self._unconfirmed.clear()
        if self._pulse.problem:
            raise BrokerUnavailableError(self._pulse.problem)
        now = monotonic()
        silent, pending = self._unconfirmed.silent_for(key, now), self._unconfirmed.pending(key)
        flood = pending > MAX_DOUBTFUL and silent > DOUBTFUL_SECONDS and self._pulse.answered_at > now - silent
        if silent > LOST_SECONDS:
            self._part_from(way, f"nothing was confirmed for {key!r} in {silent:.0f} s")
        elif silent > CONFIRM_TIMEOUT_SECONDS or flood:
            raise _SilentQueueError(f"the broker confirms nothing for {key!r} at the moment")
        if pending >= MAX_OF_KEY or len(self._under_way) >= MAX_UNCONFIRMED:
            raise BrokerUnavailableError("too much waits for the broker's confirm")

    async def _publish(self, message: Message, exchange: str, routing_key: str) -> None:
        # The broker refuses a wrong user id, so whoever reads the message can trust it.
        message.user_id = self._link.user
        with broker_calls("the broker was lost before it confirmed"):
            await self._large.turn(len(message.body))
            channel = await self._channels.open((exchange, routing_key))
            if (task := asyncio.current_task()) in self._under_way:
                self._under_way[task] = channel
            await publish_confirmed(
                channel, message, exchange=exchange, routing_key=routing_key, limit=self._size_limit
            )

    def _on_channel_closed(self, channel: object, error: BaseException | None) -> None:
        # Only the broker gives a reason; there is none when the connection ends, or when we close the channel.
        if isinstance(error, ChannelClosed) and any(error.args):
            log.error("the broker closed the publishing channel: %s", in_words(error))
        self._channels.drop(channel)
        # aiormq ends most publishes on it with an error, but not those that wait for room on a connection that takes
        # nothing more: they would count as unconfirmed for ever, and the broker as blocked.
        asyncio.get_running_loop().call_later(ENDED_SECONDS, self._end_all_on, channel)

    def _end_all_on(self, channel: object) -> None:
        for task in self._all_on(channel):
            task.cancel()

    def _all_on(self, channel: object) -> list[asyncio.Task[None]]:
        return [task for task, its_channel in self._under_way.items() if channel is its_channel]

    def _part_from(self, way: Way, why: str) -> None:
        """Publish on a fresh channel from now on, and close the old one when nobody waits on it."""
        channel = self._channels.part_from(way)
        if channel is None:
            return
        log.warning("publishing on another channel: %s", why)
        for task in self._all_on(channel):
            self._unconfirmed.forget(task)
        closing = asyncio.create_task(self._close_later(channel))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    def _ended(self, key: str, task: asyncio.Task[None]) -> None:
        self._under_way.pop(task, None)
        # Asks for its error in any case: where its publisher has gone, nobody else does.
        if not task.cancelled() and task.exception() is None:
            self._unconfirmed.confirmed(key, task, monotonic())
        else:
            self._unconfirmed.forget(task)

    async def _close_later(self, channel: AbstractChannel) -> None:
        # Publishes by other keys that share the channel have their confirms by then, or were given up.
        await asyncio.sleep(CONFIRM_TIMEOUT_SECONDS)
        if copies := self._copies.intersection(self._all_on(channel)):
            await asyncio.wait(copies, timeout=PATIENCE_SECONDS)
        await close_channel(channel)
