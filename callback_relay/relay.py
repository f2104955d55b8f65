"""The relay: results in from the broker, callbacks out to the LMS, and each result settled by one verdict.

It keeps nothing that the broker doesn't have, except which submissions it delivered lately (repeats.py). Several
relays may run beside each other.
"""

import asyncio
import logging
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import replace
from time import time

from aio_pika import Message
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aio_pika.exceptions import ChannelInvalidStateError, ChannelNotFoundEntity

from broker_setup.connection import CONNECTION_ERRORS, Link, supervised
from broker_setup.errors import BadMessageError, BadReturnAddressError, BrokerUnavailableError, XQueueError
from broker_setup.ill_made import tolerate_ill_made_properties
from broker_setup.ledger.events import Delivered as LedgerDelivered
from broker_setup.ledger.events import Undeliverable
from broker_setup.ledger.notes import Notes
from broker_setup.ledger.writer import LedgerWriter
from broker_setup.messages import MAX_MESSAGE_BYTES, Result, decode_result, encode_result, is_uuid
from broker_setup.parked import parked_copy
from broker_setup.publisher import Publisher
from broker_setup.return_address import Sealer
from broker_setup.settings import Settings
from broker_setup.topology import RESULTS_PARKED, RESULTS_QUEUE, retry_queue
from callback_relay.callback import BadCallbackError, Callback, callback_for
from callback_relay.poster import poster_for
from callback_relay.repeats import Repeats, Standing
from callback_relay.verdict import (
    AlreadyDelivered,
    Delivered,
    GiveBack,
    NoCallback,
    Park,
    Repeat,
    Retry,
    UnderWay,
    Verdict,
    judge,
)

log = logging.getLogger(__name__)

# Between two tries to consume, and before a result goes back that the broker would take nowhere else.
PAUSE_SECONDS = 1.0
# What callbacks under way get at the end; a process manager's patience is 10 s or more.
STOP_GRACE_SECONDS = 4.0
LAST_CALL_SECONDS = 2.0


class Relay:
    """The service: `run` it, `stop` it."""

    def __init__(self, settings: Settings) -> None:
        """Build it from settings that have a SECRET_KEY; nothing is opened yet.

        Raise SettingsError if the CA bundle can't be read.
        """
        url = settings.amqp_url.get_secret_value()
        # Two connections: under an alarm the broker stops reading from one that publishes, acks and all.
        self._source = Link(url, "xqueue-relay consume")
        self._sink = Link(url, "xqueue-relay publish")
        self._publisher = Publisher(self._sink)
        self._poster = poster_for(settings)
        self._notes = Notes(LedgerWriter(self._publisher, "xqueue-relay"))
        self._sealer = Sealer(settings.secrets)
        self._repeats = Repeats()
        self._ladder = settings.retry_delays
        self._concurrency = settings.callback_concurrency
        self._under_way: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ask `run` to take no more results, finish what is under way and return."""
        self._stopping.set()

    async def run(self) -> None:
        """Deliver results until `stop`; a broker that is away, or comes back, is no reason to end."""
        tolerate_ill_made_properties()
        async with supervised(self._source, self._sink), self._poster:
            consuming = asyncio.create_task(self._keep_consuming(), name="consume results")
            noting = asyncio.create_task(self._notes.run(), name="ledger notes")
            stopping = asyncio.create_task(self._stopping.wait(), name="wait for stop")
            try:
                await asyncio.wait({consuming, stopping}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                consuming.cancel()
                stopping.cancel()
                await asyncio.wait({consuming, stopping})
                await self._finish()
                noting.cancel()
                await asyncio.wait({noting})
                await _quietly(self._notes.flush())
            if not consuming.cancelled():
                consuming.result()  # only a mistake of ours ends it: let that be seen
        log.info("stopped")

    async def _keep_consuming(self) -> None:
        while True:
            await self._source.wait_up()
            try:
                await self._consume()
            except (XQueueError, *CONNECTION_ERRORS) as error:
                log.error("can't consume %s: %s", RESULTS_QUEUE, error)  # noqa: TRY400 - the text says it all
            except asyncio.CancelledError:
                # aiormq cancels what waits on a connection that goes away; only a real cancel is counted.
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
            await asyncio.sleep(PAUSE_SECONDS)

    async def _consume(self) -> None:
        """Consume on a channel of its own until that is over; what was delivered on it is then void."""
        channel = await self._source.channel(prefetch=self._concurrency)
        over = asyncio.Event()
        channel.close_callbacks.add(lambda *_: over.set())
        await self._check_queues(channel)
        # RabbitMQ cancels a consumer whose queue is deleted, and says no more.
        underlay = await channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(lambda _: over.set())
        queue = await channel.get_queue(RESULTS_QUEUE, ensure=False)
        tag = await queue.consume(self._on_delivery)
        log.info("consuming %s, up to %d callbacks at once", RESULTS_QUEUE, self._concurrency)
        try:
            await over.wait()
        except asyncio.CancelledError:
            # Stopping: nothing new, while what is under way can still be acked on this channel.
            await _quietly(queue.cancel(tag))
            raise
        await _quietly(channel.close())

    async def _check_queues(self, channel: AbstractChannel) -> None:
        for name in (RESULTS_QUEUE, RESULTS_PARKED, *(retry_queue(delay) for delay in self._ladder)):
            try:
                await channel.declare_queue(name, passive=True)
            except ChannelNotFoundEntity as error:
                raise BrokerUnavailableError(f"queue {name!r} is missing: run `xqueue-broker declare`") from error

    async def _on_delivery(self, message: AbstractIncomingMessage) -> None:
        # A task of our own: aiormq cancels its own when the channel closes, in the midst of a POST.
        task = asyncio.create_task(self._handle(message))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _handle(self, message: AbstractIncomingMessage) -> None:
        """Take one delivery from its arrival to its end."""
        origin = "-"
        try:
            result, callback = self._read(message)
            origin = callback.origin
            verdict = await self._deliver(result, callback)
        except (BadMessageError, BadReturnAddressError, BadCallbackError) as error:
            verdict = judge(NoCallback(str(error)), 0, self._ladder)
        except Exception as error:  # a mistake of ours: seen by an operator, never a loop, never a loss
            log.exception("submission %s: unexpected error", message.correlation_id)
            verdict = Park(f"unexpected error: {type(error).__name__}")
        await self._settle(message, verdict, origin)

    def _read(self, message: AbstractIncomingMessage) -> tuple[Result, Callback]:
        if len(message.body) > MAX_MESSAGE_BYTES:
            raise BadMessageError(f"{len(message.body)} bytes are more than the {MAX_MESSAGE_BYTES} allowed", b"")
        result = decode_result(message)
        address = self._sealer.open(result.sealed_return, result.submission)
        return result, callback_for(result, address.lms_header)

    async def _deliver(self, result: Result, callback: Callback) -> Verdict:
        """Post `callback` unless it is a repeat; return what is to become of the result."""
        match self._repeats.begin(result.submission, result.amendment):
            case Standing.DELIVERED:
                return judge(AlreadyDelivered(), result.attempt, self._ladder)
            case Standing.UNDER_WAY:
                return judge(UnderWay(), result.attempt, self._ladder)
            case Standing.NEW:
                pass
        delivered = False
        try:
            verdict = judge(await self._poster.post(callback), result.attempt, self._ladder)
            delivered = verdict == Delivered()
        finally:
            self._repeats.end(result.submission, result.amendment, delivered=delivered)
        if delivered:
            self._notes.note(LedgerDelivered(time(), bytes.fromhex(result.submission), result.attempt + 1))
        return verdict

    async def _settle(self, message: AbstractIncomingMessage, verdict: Verdict, origin: str) -> None:
        """End the delivery as `verdict` says: the one place that acks and nacks.

        A copy is confirmed before the delivery is acked: killed in between, there are two of a result, never none.
        """
        if _is_void(message):
            log.debug("submission %s: its delivery is void and comes again", message.correlation_id)
            return
        try:
            match verdict:
                case Retry(delay, attempt):
                    again = replace(decode_result(message), attempt=attempt)
                    await self._put(encode_result(again), retry_queue(delay))
                case Park(reason):
                    await self._put(parked_copy(message, reason), RESULTS_PARKED)
                    self._note_parked(message, reason)
        except Exception as error:  # noqa: BLE001 - whatever it was: not acked, so not lost
            verdict = GiveBack(f"no copy could be stored: {error!r}")
        _tell(message, verdict, origin)
        try:
            if isinstance(verdict, GiveBack):
                await asyncio.sleep(PAUSE_SECONDS)
                await message.nack(requeue=True)
            else:
                await message.ack()
        except CONNECTION_ERRORS as error:
            log.debug("submission %s: its delivery is void and comes again: %r", message.correlation_id, error)

    def _note_parked(self, message: AbstractIncomingMessage, reason: str) -> None:
        # Whatever is not a result of ours may name anything.
        if is_uuid(message.correlation_id):
            self._notes.note(Undeliverable(time(), bytes.fromhex(message.correlation_id), reason))

    async def _put(self, message: Message, queue: str) -> None:
        await self._publisher.publish(message, exchange="", routing_key=queue)

    async def _finish(self) -> None:
        """Give what is under way a moment; what is not settled then goes back to the queue with its channel."""
        if self._under_way:
            log.info("stopping: %d callbacks under way", len(self._under_way))
            await asyncio.wait(self._under_way, timeout=STOP_GRACE_SECONDS)
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)


def _is_void(message: AbstractIncomingMessage) -> bool:
    """Tell whether the channel that brought it is gone, so that the broker delivers it again."""
    try:
        return message.channel.is_closed
    except ChannelInvalidStateError:
        return True


async def _quietly(call: Awaitable[object]) -> None:
    """Make a last call on a channel that may be gone already."""
    with suppress(*CONNECTION_ERRORS):
        async with asyncio.timeout(LAST_CALL_SECONDS):
            await call


def _tell(message: AbstractIncomingMessage, verdict: Verdict, origin: str) -> None:
    """Log how a delivery ended, with nothing of the reply and no path of the URL."""
    submission = message.correlation_id
    match verdict:
        case Delivered():
            log.debug("submission %s: delivered to %s", submission, origin)
        case Repeat():
            log.info("submission %s: repeat, delivered to %s before", submission, origin)
        case Retry(delay, attempt, reason):
            log.info("submission %s: %s: %s; try %d in %g s", submission, origin, reason, attempt + 1, delay)
        case Park(reason):
            log.warning("submission %s: %s: parked: %s", submission, origin, reason)
        case GiveBack(reason):
            log.warning("submission %s: %s: back to the queue: %s", submission, origin, reason)
