"""Confirmed, mandatory, concurrent publishing: a publish has happened, or it says clearly that it may not have."""

import asyncio
import logging
from collections import Counter
from time import monotonic
from typing import TYPE_CHECKING, cast

from aio_pika import Message
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelClosed, DeliveryError, PublishError

from broker_setup.errors import BrokerUnavailableError, MessageTooLargeError, PublishRefusedError, UnroutableError
from broker_setup.link.connection import Link, broker_calls
from broker_setup.link.size_limit import largest_taken

if TYPE_CHECKING:
    from aiormq import Channel

log = logging.getLogger(__name__)

# Below the 3 s in which a gateway's caller has its answer.
CONFIRM_TIMEOUT_SECONDS = 2.5
# Longer than any alarm that clears by itself in time to matter, shorter than a proxy's patience for a stuck socket.
STUCK_SECONDS = 30.0
# What a blocked broker may leave in our memory: this many messages, each as large as a submission.
MAX_UNCONFIRMED = 5_000
# Of one routing key, beyond the time that their publishers waited: its queue has no leader.
MAX_OVERDUE = 20
# A broker that was started again may take larger messages than the one before.
BELIEVED_SECONDS = 60.0
# What a closed channel has not ended by then it never will.
ENDED_SECONDS = 1.0


class Publisher:
    """Publishes on one link, to each exchange on a channel of its own.

    A publish to an exchange that is missing, or not ours to write to, closes its channel under all that is unconfirmed
    on it: that must not be what goes elsewhere. Use a link of its own: under a memory or disk alarm the broker stops
    reading from connections that publish.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._channels: dict[str, AbstractChannel] = {}
        self._on: dict[asyncio.Task[None], AbstractChannel] = {}  # which channel a publish under way is on
        self._opening = asyncio.Lock()
        self._unconfirmed: dict[asyncio.Task[None], float] = {}
        self._confirmed_at = float("-inf")
        self._overdue: Counter[str] = Counter()
        # In bytes, and until when that is believed: known once the broker has refused a larger one.
        self._largest_taken, self._believed_until = 0, float("-inf")

    async def wait_up(self) -> None:
        """Return once there is a connection to publish on."""
        await self._link.wait_up()

    @property
    def is_blocked(self) -> bool:
        """Whether the broker has confirmed nothing for so long that a new publish would wait in vain."""
        return self._silent_for > CONFIRM_TIMEOUT_SECONDS

    @property
    def _silent_for(self) -> float:
        # Since the oldest was sent and nothing was confirmed: one queue without a leader does not silence the others.
        oldest = next(iter(self._unconfirmed.values()), None)
        return 0.0 if oldest is None else monotonic() - max(oldest, self._confirmed_at)

    async def publish(self, message: Message, *, exchange: str, routing_key: str) -> None:
        """Publish and return when the broker has it on disk.

        Raise UnroutableError if no queue takes it, MessageTooLargeError if the broker's max_message_size is below it,
        BrokerUnavailableError if the broker is away, blocked or silent for 2.5 s - then it may or may not have been
        stored. Cancelling the caller does not cancel the publish.
        """
        self._refuse_too_large(message)
        if self.is_blocked or len(self._unconfirmed) >= MAX_UNCONFIRMED:
            self._drop_if_stuck()
            raise BrokerUnavailableError("the broker confirms nothing at the moment")
        if self._overdue[routing_key] >= MAX_OVERDUE:
            raise BrokerUnavailableError(f"the broker confirms nothing for {routing_key!r} at the moment")
        # A task of its own, not cancelled while its channel is open: that would leave the count of confirms in doubt.
        task = asyncio.create_task(self._publish(message, exchange, routing_key))
        self._unconfirmed[task] = monotonic()
        task.add_done_callback(self._confirmed)
        done, _ = await asyncio.wait({task}, timeout=CONFIRM_TIMEOUT_SECONDS)
        if not done:
            self._overdue[routing_key] += 1
            task.add_done_callback(lambda _: self._overdue.subtract({routing_key: 1}))
            raise BrokerUnavailableError("the broker did not confirm in time")
        if task.cancelled():
            raise BrokerUnavailableError("the broker was lost before it confirmed")
        task.result()

    async def _publish(self, message: Message, exchange: str, routing_key: str) -> None:
        # The broker checks it, so that whoever reads the message knows who published it.
        message.user_id = self._link.user
        with broker_calls("the broker was lost before it confirmed"):
            try:
                channel = self._usable(exchange) or await self._open(exchange)
                if task := asyncio.current_task():
                    self._on[task] = channel
                # Not aio-pika's publish, which has each one wait until the bytes of the one before are on the wire.
                underlay = cast("Channel", await channel.get_underlay_channel())
                await underlay.basic_publish(
                    message.body,
                    exchange=exchange,
                    routing_key=routing_key,
                    properties=message.properties,
                    mandatory=True,
                    wait=False,
                )
            except PublishError as error:
                raise UnroutableError(
                    f"no queue takes {routing_key!r} at the exchange {exchange!r}: run `xqueue-broker declare`",
                ) from error
            except ChannelClosed as error:
                if largest := largest_taken(error):
                    # Of one message; the others on this channel ended with it and may be tried again.
                    self._largest_taken, self._believed_until = largest, monotonic() + BELIEVED_SECONDS
                    self._refuse_too_large(message)
                    raise BrokerUnavailableError("the channel was closed for another message") from error
                raise PublishRefusedError(
                    f"the broker refuses {routing_key!r} at the exchange {exchange!r} ({error}): "
                    "run `xqueue-broker declare`, or `setup` where rights are missing",
                ) from error
            except DeliveryError as error:
                raise BrokerUnavailableError("the broker refused to store the message") from error

    def _refuse_too_large(self, message: Message) -> None:
        # Known beforehand, as each refusal closes the channel under all that is unconfirmed on it.
        if monotonic() < self._believed_until and len(message.body) > self._largest_taken:
            raise MessageTooLargeError(f"more than the {self._largest_taken} bytes that the broker takes")

    async def _open(self, exchange: str) -> AbstractChannel:
        async with self._opening:
            channel = self._usable(exchange)
            if channel is None:
                channel = self._channels[exchange] = await self._link.channel()
                channel.close_callbacks.add(self._on_channel_closed)
            return channel

    def _usable(self, exchange: str) -> AbstractChannel | None:
        # One that has just closed is here until its callback has run.
        channel = self._channels.get(exchange)
        return None if channel is None or channel.is_closed else channel

    def _on_channel_closed(self, channel: object, error: BaseException | None) -> None:
        if error is not None and self._link.is_up:
            log.error("the broker closed the publishing channel: %s", error)
        for exchange, its_channel in list(self._channels.items()):
            if channel is its_channel:
                del self._channels[exchange]
        # Most are told why by aiormq. It tells nothing to those that wait for room on a connection that takes nothing
        # more: they would count as unconfirmed for ever, and so the broker as blocked.
        asyncio.get_running_loop().call_later(ENDED_SECONDS, self._end_all_on, channel)

    def _end_all_on(self, channel: object) -> None:
        for task in [task for task, its_channel in self._on.items() if channel is its_channel]:
            task.cancel()

    def _confirmed(self, task: asyncio.Task[None]) -> None:
        self._unconfirmed.pop(task, None)
        self._on.pop(task, None)
        # Its publisher may have gone; then nobody else asks for its error.
        if not task.cancelled() and task.exception() is None:
            self._confirmed_at = monotonic()

    def _drop_if_stuck(self) -> None:
        if self._silent_for > STUCK_SECONDS:
            self._link.drop(f"no confirm for {STUCK_SECONDS:.0f} s")
