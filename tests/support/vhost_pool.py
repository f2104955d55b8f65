"""Virtual hosts that one test after the other uses: to declare a topology and delete it costs the broker 0.2 s.

Each test gets one as it was when the topology had been declared: the same exchanges, queues, bindings, policies and
permissions, no queue that was deleted meanwhile and made again, nothing in any of them, and no consumer. One of which
that can't be shown is deleted.
"""

import contextlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from broker_setup.operator.setup.declare import declare
from broker_setup.topology import Queue, Topology
from tests.support.broker import Broker, VHost, temporary_vhost

# A binding that goes with its queue, and that nothing is published to: a queue that was made again has none.
_MARK_EXCHANGE, _MARK = "amq.direct", "as it was declared"
# What ends with a connection ends a moment later: a virtual host is not the very next test's.
_RESTING = 2


@dataclass
class _Declared:
    """One with the topology on it, and what belongs to it."""

    vhost: VHost
    definitions: Any
    ending: contextlib.ExitStack  # deletes it
    looking: pika.BlockingConnection | None = None  # while no test has it


class VHostPool:
    """The virtual hosts of one process with one topology."""

    def __init__(self, broker: Broker, topology: Topology) -> None:
        self._broker = broker
        self._topology = topology
        self._free: deque[_Declared] = deque()

    @contextlib.contextmanager
    def vhost(self) -> Iterator[VHost]:
        """Lend one with the topology on it."""
        lent = self._clean() or self._made()
        try:
            yield lent.vhost
        finally:
            if self._restored(lent):
                self._free.append(lent)
            else:
                _delete(lent)

    def close(self) -> None:
        """Delete all that are not lent."""
        while self._free:
            _delete(self._free.popleft())

    def _clean(self) -> _Declared | None:
        while len(self._free) > _RESTING:
            lent = self._free.popleft()
            assert lent.looking
            with contextlib.suppress(AMQPError), lent.looking as looking:
                if all(_is_idle(looking.channel(), queue) for queue in self._topology.queues):
                    lent.looking = None
            if lent.looking is None:
                return lent
            _delete(lent)
        return None

    def _made(self) -> _Declared:
        with contextlib.ExitStack() as ending:
            vhost = ending.enter_context(temporary_vhost(self._broker))
            declare(vhost.amqp_url, self._topology)
            with _connected(vhost) as connection:
                for queue in self._topology.queues:
                    connection.channel().queue_bind(queue.name, _MARK_EXCHANGE, _MARK)
            return _Declared(vhost, _definitions(vhost), ending.pop_all())

    def _restored(self, lent: _Declared) -> bool:
        """Empty it, where all is still as it was declared."""
        if _definitions(lent.vhost) != lent.definitions:
            return False
        lent.looking = _connected(lent.vhost)
        channel = lent.looking.channel()
        try:
            for queue in self._topology.queues:
                _empty(channel, queue, self._topology)
        except AMQPError:
            return False
        return True


def _empty(channel: BlockingChannel, queue: Queue, topology: Topology) -> None:
    if queue.arguments.get("x-queue-type") != "stream":
        channel.queue_purge(queue.name)
        return
    channel.queue_delete(queue.name)
    channel.queue_declare(queue.name, durable=True, arguments=dict(queue.arguments))
    channel.queue_bind(queue.name, _MARK_EXCHANGE, _MARK)
    for binding in topology.bindings:
        if binding.queue == queue.name:
            channel.queue_bind(queue.name, binding.exchange, binding.routing_key)


def _is_idle(channel: BlockingChannel, queue: Queue) -> bool:
    found = channel.queue_declare(queue.name, passive=True).method
    return (found.message_count, found.consumer_count) == (0, 0)


def _definitions(vhost: VHost) -> Any:
    found = [vhost.api("GET", path).json() for path in ("definitions/{vhost}", "vhosts/{vhost}/permissions")]
    return [{key: _sorted(value) for key, value in found[0].items()}, _sorted(found[1])]


def _sorted(value: Any) -> Any:
    return sorted(map(repr, value)) if isinstance(value, list) else value


def _connected(vhost: VHost) -> pika.BlockingConnection:
    parameters = pika.URLParameters(vhost.amqp_url)
    parameters.heartbeat = 0  # nobody answers heartbeats while it waits for a test
    return pika.BlockingConnection(parameters)


def _delete(lent: _Declared) -> None:
    if lent.looking and lent.looking.is_open:
        with contextlib.suppress(AMQPError):
            lent.looking.close()
    lent.ending.close()
