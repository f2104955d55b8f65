"""Carries a migration out, step after step; each step can be done again, and follows from what stands at the broker."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic, time

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, ChannelClosedByBroker

from broker_setup.amqp.errors import NOT_FOUND, PRECONDITION_FAILED
from broker_setup.errors import BrokerUnavailableError
from broker_setup.ledger.events import Act, Acted
from broker_setup.link.blocking import connect
from broker_setup.link.refusals import in_words
from broker_setup.operator.management_api import Management
from broker_setup.operator.migrate.moving import Mover, read_witness
from broker_setup.operator.migrate.plan import (
    Seen,
    Standing,
    Step,
    meanwhile,
    next_step,
    returning_queue,
    temporary_queue,
    witness_queue,
)
from broker_setup.operator.session import Session
from broker_setup.queue_arguments import work_queue
from broker_setup.settings import Settings
from broker_setup.topology import LEDGER, MIGRATING, Binding, Queue

# Of a queue where nothing new comes the number of messages, with those that are held, only falls. The broker counts it
# each 5 s, and its management API shows that up to 5 s later: what is 0 for so long was counted since we began to look.
COUNTED_SECONDS = 12.0
LOOK_SECONDS = 1.0

Tell = Callable[[Queue, Step, str], None]


@dataclass(frozen=True)
class Different:
    """A queue that is not as this version has it; `why` is the broker's word, or that a run was broken off."""

    queue: Queue
    why: str
    step: Step

    @property
    def can_move(self) -> bool:
        """Whether it can be moved: all but the ledger, which is a stream."""
        return self.queue.name != LEDGER


def find_different(settings: Settings, api: Management) -> Sequence[Different]:
    """List what is to be migrated, and what a run that was broken off has not finished."""
    found = []
    with connect(settings.amqp_url.get_secret_value()) as connection:
        for queue in settings.topology.queues:
            seen, why = _see(connection, api, queue)
            if (step := next_step(seen)) is not Step.NOTHING:
                found.append(Different(queue, why or "a migration was broken off", step))
    return found


class Migration:
    """One run of the command with --yes, over `queues`."""

    def __init__(self, settings: Settings, api: Management, tell: Tell) -> None:
        """Build it; `tell` is called at each step, and while something is waited for."""
        self._settings = settings
        self._api = api
        self._tell = tell
        self._url = settings.amqp_url.get_secret_value()
        self._session = Session(settings, "xqueue-broker migrate")
        self.moved = 0

    async def run(self, queues: Sequence[Queue], *, by: str) -> None:
        """Migrate them one after the other; the ledger hears `by` whom."""
        async with self._session.open(read_ledger=False):
            await self._session.claim()
            for queue in queues:
                while (step := next_step(self._seen(queue))) is not Step.NOTHING:
                    self._tell(queue, step, "")
                    await self._do(step, queue)
                await self._session.ledger.store(Acted(time(), b"", Act.MIGRATED, by, queue.name))
            with self._channel() as channel:
                channel.queue_delete(MIGRATING)

    def _seen(self, queue: Queue) -> Seen:
        with connect(self._url) as connection:
            return _see(connection, self._api, queue)[0]

    async def _do(self, step: Step, queue: Queue) -> None:
        self._make_witnesses(queue)
        name, temporary = queue.name, temporary_queue(queue.name)
        match step:
            case Step.MAKE_TEMPORARY:
                with self._channel() as channel:
                    channel.queue_declare(temporary, durable=True, arguments=meanwhile(queue.arguments))
            case Step.MOVE_OUT:
                await self._move_over(queue, name, temporary, await self._mover(witness_queue(name)))
            case Step.EMPTY:
                await self._empty(queue, name, temporary, await self._mover(witness_queue(name)))
                with self._channel() as channel:
                    channel.queue_delete(name)
            case Step.RENEW:
                with self._channel() as channel:
                    channel.queue_declare(name, durable=True, arguments=dict(queue.arguments))
            case Step.MOVE_BACK:
                await self._move_over(queue, temporary, name, await self._mover_back(name))
            case Step.CLEAR:
                await self._empty(queue, temporary, name, await self._mover_back(name))
                with self._channel() as channel:
                    for each in (witness_queue(name), returning_queue(name), temporary):
                        channel.queue_delete(each)

    async def _mover(self, witness: str) -> Mover:
        mover = Mover(self._session.source, self._session.source, witness)
        await mover.begin()
        return mover

    async def _mover_back(self, name: str) -> Mover:
        # What was moved out, stayed in the queue all the same, and was settled there by others.
        told = await read_witness(self._session.source, witness_queue(name))
        mover = Mover(self._session.source, self._session.source, returning_queue(name), told.settled)
        await mover.begin()
        return mover

    async def _move_over(self, queue: Queue, origin: str, destination: str, mover: Mover) -> None:
        """Move all, and then have what is new come to the destination, behind it.

        For the moment of the last few neither is bound: a submit is refused then, and nothing stands twice, or before
        what is older.
        """
        self.moved += await mover.drain(origin, destination)
        binding = self._binding(queue)
        with self._channel() as channel:
            channel.queue_unbind(origin, binding.exchange, binding.routing_key)
            self.moved += await mover.drain(origin, destination)
            channel.queue_bind(destination, binding.exchange, binding.routing_key)

    async def _empty(self, queue: Queue, origin: str, destination: str, mover: Mover) -> None:
        """Move what still comes back to the origin, until the broker counts nothing there any more."""
        empty_since = monotonic()
        while monotonic() - empty_since < COUNTED_SECONDS:
            self.moved += await mover.drain(origin, destination)
            left = await asyncio.to_thread(self._left, origin)
            if left:
                empty_since = monotonic()
            self._tell(queue, Step.EMPTY, f"{left} held")
            await asyncio.sleep(LOOK_SECONDS)

    def _left(self, name: str) -> int:
        """Count what stands in a queue, with what is held; of a queue without statistics, 1."""
        return next((int(entry.get("messages", 1)) for entry in self._api.queues() if entry["name"] == name), 0)

    def _binding(self, queue: Queue) -> Binding:
        return next(binding for binding in self._settings.topology.bindings if binding.queue == queue.name)

    def _make_witnesses(self, queue: Queue) -> None:
        with self._channel() as channel:
            for each in (MIGRATING, witness_queue(queue.name), returning_queue(queue.name)):
                channel.queue_declare(each, durable=True, arguments=dict(work_queue()))

    @contextlib.contextmanager
    def _channel(self) -> Iterator[BlockingChannel]:
        try:
            with connect(self._url) as connection:
                yield connection.channel()
        except AMQPError as error:
            raise BrokerUnavailableError(f"the broker refused, or was lost: {in_words(error)}") from error


def _see(connection: pika.BlockingConnection, api: Management, queue: Queue) -> tuple[Seen, str]:
    bound = {name for exchange, name, _ in api.bindings() if exchange}
    temporary = temporary_queue(queue.name)
    why = ""
    if not _is_there(connection, queue.name):
        standing = Standing.MISSING
    else:
        why = _difference(connection, queue)
        standing = Standing.DIFFERENT if why else Standing.RIGHT
    return Seen(standing, queue.name in bound, _is_there(connection, temporary), temporary in bound), why


def _is_there(connection: pika.BlockingConnection, name: str) -> bool:
    """Ask the broker itself: right after its start the management API of 4.0.5 lists no queue."""
    try:
        channel = connection.channel()
        channel.queue_declare(name, passive=True)
        channel.close()
    except ChannelClosedByBroker as refusal:
        # The same code as for one whose node is away.
        if refusal.reply_code != NOT_FOUND or "no queue" not in str(refusal.reply_text):
            raise BrokerUnavailableError(f"{name}: {refusal.reply_text}") from refusal
        return False
    return True


def _difference(connection: pika.BlockingConnection, queue: Queue) -> str:
    """Return what the broker says of a queue that is there with other arguments; "" if it is as it should be."""
    try:
        channel = connection.channel()
        channel.queue_declare(queue.name, durable=True, arguments=dict(queue.arguments))
        channel.close()
    except ChannelClosedByBroker as refusal:
        if refusal.reply_code != PRECONDITION_FAILED:
            raise BrokerUnavailableError(f"{queue.name}: {refusal.reply_text}") from refusal
        return str(refusal.reply_text).removeprefix("PRECONDITION_FAILED - ")
    return ""
