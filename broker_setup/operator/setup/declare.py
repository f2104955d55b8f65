"""Declares the topology on a broker, or checks that a broker has it; both with pika, both safe to run again."""

from collections.abc import Callable, Sequence
from time import monotonic

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, ChannelClosedByBroker

from broker_setup.amqp.errors import NOT_FOUND, PRECONDITION_FAILED
from broker_setup.errors import BrokerUnavailableError, TopologyError
from broker_setup.link.blocking import connect
from broker_setup.link.refusals import in_words
from broker_setup.operator.setup.stale_bindings import stale_bindings
from broker_setup.topology import MIGRATING, Binding, Exchange, Queue, Topology

Item = Exchange | Queue | Binding

# Where it is there, a binding that is made anew would store what comes twice.
_MIGRATION = Queue(MIGRATING, "a migration is under way", {})
LEADER_SECONDS = 10.0
LOOK_SECONDS = 0.1


def declare(url: str, topology: Topology) -> None:
    """Make whatever of `topology` is missing; what is there already stays as it is.

    Raise TopologyError, naming each exchange or queue that exists with other arguments and both values, after
    everything else was declared; BrokerUnavailableError if the broker can't be reached.
    """
    items: Sequence[Item] = (*topology.exchanges, *topology.queues, *topology.bindings)
    with connect(url) as connection:
        channels = _Channels(connection)
        if not _try(channels, _MIGRATION, _exists):
            raise TopologyError("a migration is under way, or was broken off: run `xqueue-broker migrate --yes`")
        problems = [problem for item in items if (problem := _try(channels, item, _declare))]
        for stale in stale_bindings(topology):
            if not _try(channels, Queue(stale.queue, "", {}), _exists):
                _try(channels, stale, _unbind)
    if problems:
        raise TopologyError("\n".join(problems))


def check(url: str, topology: Topology) -> list[str]:
    """Compare the broker with `topology` and return what is missing or different, a sentence each.

    Bindings can't be asked for over AMQP; a service finds a missing one at its first publish, which is refused.
    Raise BrokerUnavailableError if the broker can't be reached.
    """
    items: Sequence[Item] = (*topology.exchanges, *topology.queues)
    with connect(url) as connection:
        channels = _Channels(connection)
        return [
            problem for item in items if (problem := _try(channels, item, _exists) or _try(channels, item, _declare))
        ]


class _Channels:
    """One channel for all tries; a refusal closes it, and the next try gets another."""

    def __init__(self, connection: pika.BlockingConnection) -> None:
        self.connection = connection
        self._last: BlockingChannel | None = None

    def channel(self) -> BlockingChannel:
        if self._last is None or not self._last.is_open:
            self._last = self.connection.channel()
        return self._last


def _try(channels: _Channels, item: Item, act: Callable[[BlockingChannel, Item], None]) -> str | None:
    deadline = monotonic() + LEADER_SECONDS
    while True:
        channel = channels.channel()
        try:
            act(channel, item)
        except ChannelClosedByBroker as refusal:
            if _has_no_leader_yet(refusal) and monotonic() < deadline:
                channels.connection.sleep(LOOK_SECONDS)
                continue
            return _explain(item, refusal)
        except AMQPError as error:
            raise BrokerUnavailableError(f"the broker was lost at the {_name(item)}: {in_words(error)}") from error
        return None


def _has_no_leader_yet(refusal: ChannelClosedByBroker) -> bool:
    # What a stream answers for some 0.3 s after its node has booted (3.10.8).
    return refusal.reply_code == NOT_FOUND and "inaccessible" in refusal.reply_text


def _declare(channel: BlockingChannel, item: Item) -> None:
    match item:
        case Exchange():
            channel.exchange_declare(item.name, item.kind, durable=True)
        case Queue():
            channel.queue_declare(item.name, durable=True, arguments=dict(item.arguments))
        case Binding():
            channel.queue_bind(item.queue, item.exchange, item.routing_key)


def _unbind(channel: BlockingChannel, item: Item) -> None:
    if isinstance(item, Binding):
        channel.queue_unbind(item.queue, item.exchange, item.routing_key)


def _exists(channel: BlockingChannel, item: Item) -> None:
    match item:
        case Exchange():
            channel.exchange_declare(item.name, passive=True)
        case Queue():
            channel.queue_declare(item.name, passive=True)


def _explain(item: Item, refusal: ChannelClosedByBroker) -> str:
    what = _name(item)
    if refusal.reply_code == NOT_FOUND:
        return f"{what} is missing: run `xqueue-broker declare`"
    if refusal.reply_code == PRECONDITION_FAILED:
        # The broker's text names the argument, the value received (ours) and the current one (its own).
        return (
            f"{what} exists with other arguments: {refusal.reply_text}. Arguments can't be changed in place: "
            "`xqueue-broker migrate` moves what is in it, makes it anew, and moves it back"
        )
    return f"{what} was refused: {refusal.reply_code} {refusal.reply_text}"


def _name(item: Item) -> str:
    match item:
        case Binding():
            return f"binding of queue {item.queue!r} to exchange {item.exchange!r}"
        case Exchange() | Queue():
            return f"{type(item).__name__.lower()} {item.name!r}"
