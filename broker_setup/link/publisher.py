"""Confirmed, mandatory, concurrent publishing: a publish has happened, or it says clearly that it may not have."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from time import monotonic

from ..amqp.channel import Channel
from ..amqp.confirms import Confirm
from ..amqp.errors import AmqpError, ChannelClosedError
from ..amqp.messages import Message
from ..errors import BrokerUnavailableError
from .broker_calls import close_channel
from .connection import Link
from .not_stored import why_not_stored
from .publish import Publish
from .publishing_channels import PublishingChannels, Way
from .pulse import Pulse
from .refusals import in_words
from .room_for_copies import RoomForCopies
from .size_limit import SizeLimit
from .unconfirmed import Unconfirmed

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
# How often it is looked which publishes are overdue.
TICK_SECONDS = 0.05


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
        self._under_way: dict[Publish, None] = {}  # in the order in which they began
        self._unconfirmed = Unconfirmed()
        self._closing: set[asyncio.Task[None]] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._ticking: asyncio.TimerHandle | None = None
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
        await self.begin_to_publish(message, exchange=exchange, routing_key=routing_key)

    def begin_to_publish(self, message: Message, *, exchange: str, routing_key: str) -> asyncio.Future[None]:
        """Do the same for one who cannot wait: the future is done when `publish` would return, or raise.

        What is refused at once is raised at once.
        """
        self._size_limit.check(len(message.body))
        way = (exchange, routing_key)
        self._refuse_what_would_wait(way)
        return self._begin(message, way, is_copy=False).waiter

    @property
    def unconfirmed(self) -> int:
        """How many publishes the broker has not confirmed yet."""
        return len(self._under_way)

    async def publish_copy(
        self, message: Message, *, exchange: str, routing_key: str, held: Callable[[], bool] = lambda: True
    ) -> None:
        """Publish the copy of a delivery that is acked when this returns, and wait for its confirm as long as it takes.

        One that is given up after a moment may be stored all the same, and its delivery comes back: then there are two
        of it, and at each turn more. So here BrokerUnavailableError says that nothing was sent, or that the channel or
        the connection ended before a confirm came. It is not sent when its delivery is `held` no more.
        """
        way = (exchange, routing_key)
        async with self._room.taken(len(message.body)):
            self._size_limit.check(len(message.body))
            while True:
                if not held():
                    raise BrokerUnavailableError("its delivery is void, and comes again")
                try:
                    self._refuse_what_would_wait(way)
                    break
                except _SilentQueueError:
                    await asyncio.sleep(LOOK_SECONDS)
            copy = self._begin(message, way, is_copy=True)
            looking = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._look_for, copy)
            try:
                await copy.waiter
            finally:
                looking.cancel()

    def _look_for(self, copy: Publish) -> None:
        """Have a copy's channel closed where publishes after it are confirmed and it is not: its confirm got lost."""
        if copy not in self._under_way:
            return
        if self._unconfirmed.waits(copy.way[1], copy):
            asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._look_for, copy)
        elif self._channels.current(copy.way) is copy.channel:
            self._part_from(copy.way, f"a confirm for {copy.way[1]!r} got lost")

    def _begin(self, message: Message, way: Way, *, is_copy: bool) -> Publish:
        # The broker refuses a wrong user id, so whoever reads the message can trust it.
        message.user_id = self._link.user
        loop = asyncio.get_running_loop()
        publish = Publish(way, len(message.body), monotonic(), loop.create_future(), is_copy)
        channel = self._channels.current(way)
        if channel is not None:
            self._sent(publish, channel, channel.publish(message, exchange=way[0], routing_key=way[1]))
        else:
            opening = asyncio.create_task(self._open_and_send(message, publish))
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)
        self._under_way[publish] = None
        self._unconfirmed.sent(way[1], publish, publish.began)
        if self._ticking is None:
            self._ticking = loop.call_later(TICK_SECONDS, self._tick)
        return publish

    async def _open_and_send(self, message: Message, publish: Publish) -> None:
        way = publish.way
        try:
            channel = await self._channels.open(way)
            confirm = channel.publish(message, exchange=way[0], routing_key=way[1])
        except ChannelClosedError as error:
            self._ended(publish, BrokerUnavailableError(f"the broker was lost before it confirmed: {in_words(error)}"))
        except Exception as error:  # noqa: BLE001 - it is the caller's
            self._ended(publish, error)
        else:
            self._sent(publish, channel, confirm)

    def _sent(self, publish: Publish, channel: Channel, confirm: Confirm) -> None:
        publish.channel = channel
        confirm.then(partial(self._answered, publish, confirm))

    def _answered(self, publish: Publish, confirm: Confirm) -> None:
        error = confirm.error and why_not_stored(confirm.error, publish.way, publish.size, self._size_limit)
        self._ended(publish, error)

    def _ended(self, publish: Publish, error: Exception | None) -> None:
        self._under_way.pop(publish, None)
        if error is None:
            self._unconfirmed.confirmed(publish.way[1], publish, monotonic())
        else:
            self._unconfirmed.forget(publish)
        publish.tell(error)

    def _tick(self) -> None:
        """Look at what is overdue: doubted after a while, and given up by those who can't wait."""
        now = monotonic()
        for publish in self._under_way:
            age = now - publish.began
            if age < DOUBT_SECONDS:
                break
            if not publish.is_doubted:
                publish.is_doubted = True
                self._pulse.look()
            if age >= CONFIRM_TIMEOUT_SECONDS and not publish.is_copy:
                publish.tell(BrokerUnavailableError("the broker did not confirm in time"))
        loop = asyncio.get_running_loop()
        self._ticking = loop.call_later(TICK_SECONDS, self._tick) if self._under_way else None

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

    def _on_channel_closed(self, channel: Channel, error: AmqpError) -> None:
        # Only the broker gives a code; there is none when the connection ends, or when we close the channel.
        if isinstance(error, ChannelClosedError) and error.code:
            log.error("the broker closed the publishing channel: %s", in_words(error))
        self._channels.drop(channel)

    def _part_from(self, way: Way, why: str) -> None:
        """Publish on a fresh channel from now on, and close the old one when nobody waits on it."""
        if (channel := self._channels.part_from(way)) is None:
            return
        log.warning("publishing on another channel: %s", why)
        for publish in self._all_on(channel):
            self._unconfirmed.forget(publish)
        closing = asyncio.create_task(self._close_later(channel))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    def _all_on(self, channel: Channel) -> list[Publish]:
        return [publish for publish in self._under_way if publish.channel is channel]

    async def _close_later(self, channel: Channel) -> None:
        # Publishes by other keys that share the channel have their confirms by then, or were given up.
        await asyncio.sleep(CONFIRM_TIMEOUT_SECONDS)
        if waiters := [publish.waiter for publish in self._all_on(channel) if publish.is_copy]:
            await asyncio.wait(waiters, timeout=PATIENCE_SECONDS)
        await close_channel(channel)
