"""Confirmed, mandatory, concurrent publishing: a publish has happened, or it says clearly that it may not have."""

import asyncio
import logging
from time import monotonic

from aio_pika import Message
from aio_pika.abc import AbstractChannel, AbstractExchange
from aio_pika.exceptions import DeliveryError, PublishError

from broker_setup.connection import CONNECTION_ERRORS, Link
from broker_setup.errors import BrokerUnavailableError, UnroutableError

log = logging.getLogger(__name__)

# Below the 3 s in which a gateway's caller has its answer.
CONFIRM_TIMEOUT_SECONDS = 2.5
# Longer than any alarm that clears by itself in time to matter, shorter than a proxy's patience for a stuck socket.
STUCK_SECONDS = 30.0
# What a blocked broker may leave in our memory: this many messages, each as large as a submission.
MAX_UNCONFIRMED = 5_000


class Publisher:
    """Publishes on one channel of one link.

    Use a link of its own: under a memory or disk alarm the broker stops reading from connections that publish.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._channel: AbstractChannel | None = None
        self._exchanges: dict[str, AbstractExchange] = {}
        self._opening = asyncio.Lock()
        self._unconfirmed: dict[asyncio.Task[None], float] = {}

    async def wait_up(self) -> None:
        """Return once there is a connection to publish on."""
        await self._link.wait_up()

    @property
    def is_blocked(self) -> bool:
        """Whether the oldest unconfirmed publish has waited so long that a new one would wait in vain."""
        oldest = next(iter(self._unconfirmed.values()), None)
        return oldest is not None and monotonic() - oldest > CONFIRM_TIMEOUT_SECONDS

    async def publish(self, message: Message, *, exchange: str, routing_key: str) -> None:
        """Publish and return when the broker has it on disk.

        Raise UnroutableError if no queue takes it, BrokerUnavailableError if the broker is away, blocked or silent
        for 2.5 s - then it may or may not have been stored. Cancelling the caller does not cancel the publish.
        """
        if self.is_blocked or len(self._unconfirmed) >= MAX_UNCONFIRMED:
            self._drop_if_stuck()
            raise BrokerUnavailableError("the broker confirms nothing at the moment")
        # A task of its own, never cancelled: a cancelled publish leaves the channel's count of confirms in doubt.
        task = asyncio.create_task(self._publish(message, exchange, routing_key))
        self._unconfirmed[task] = monotonic()
        task.add_done_callback(self._confirmed)
        done, _ = await asyncio.wait({task}, timeout=CONFIRM_TIMEOUT_SECONDS)
        if not done:
            raise BrokerUnavailableError("the broker did not confirm in time")
        task.result()

    async def _publish(self, message: Message, exchange: str, routing_key: str) -> None:
        try:
            target = self._exchanges.get(exchange) or await self._open(exchange)
            await target.publish(message, routing_key, mandatory=True)
        except PublishError as error:
            raise UnroutableError(
                f"no queue takes {routing_key!r} at the exchange {exchange!r}: run `xqueue-broker declare`",
            ) from error
        except DeliveryError as error:
            raise BrokerUnavailableError("the broker refused to store the message") from error
        except asyncio.CancelledError:
            # aiormq cancels what waits on a connection that goes away; nobody cancels this task on purpose.
            raise BrokerUnavailableError("the connection to the broker was lost before it confirmed") from None
        except CONNECTION_ERRORS as error:
            raise BrokerUnavailableError(f"the broker was lost before it confirmed: {error!r}") from error

    async def _open(self, exchange: str) -> AbstractExchange:
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                self._exchanges.clear()
                self._channel = await self._link.channel()
                self._channel.close_callbacks.add(self._on_channel_closed)
            if exchange not in self._exchanges:
                self._exchanges[exchange] = (
                    await self._channel.get_exchange(exchange, ensure=False)
                    if exchange
                    else self._channel.default_exchange
                )
            return self._exchanges[exchange]

    def _on_channel_closed(self, channel: object, error: BaseException | None) -> None:
        if error is not None and self._link.is_up:
            log.error("the broker closed the publishing channel: %s", error)
        if channel is self._channel:
            self._channel = None
            self._exchanges.clear()

    def _confirmed(self, task: asyncio.Task[None]) -> None:
        self._unconfirmed.pop(task, None)
        if not task.cancelled():
            task.exception()  # its publisher may have gone; then nobody else asks for it

    def _drop_if_stuck(self) -> None:
        oldest = next(iter(self._unconfirmed.values()), None)
        if oldest is not None and monotonic() - oldest > STUCK_SECONDS:
            self._link.drop(f"no confirm for {STUCK_SECONDS:.0f} s")
