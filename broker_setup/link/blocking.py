"""Plain, blocking connections to the broker, for steps that have nothing else to do meanwhile."""

from collections.abc import Iterable, Mapping

import pika
from pika.exceptions import AMQPConnectionError, AMQPError, ChannelClosedByBroker

from broker_setup.errors import BrokerUnavailableError, BrokerUnreachableError

PATIENCE_SECONDS = 10


def connect(url: str) -> pika.BlockingConnection:
    """Open a connection, to be used with `with`; raise BrokerUnreachableError if the broker can't be reached."""
    parameters = pika.URLParameters(url)
    parameters.heartbeat = 10
    parameters.socket_timeout = parameters.stack_timeout = PATIENCE_SECONDS
    parameters.blocked_connection_timeout = PATIENCE_SECONDS
    try:
        return pika.BlockingConnection(parameters)
    except (AMQPConnectionError, OSError) as error:
        where = f"{parameters.host}:{parameters.port}"
        why = error.args[0] if error.args else error
        raise BrokerUnreachableError(f"can't connect to the broker at {where}: {why!r}") from error


def count_ready(url: str, queues: Iterable[str]) -> Mapping[str, int]:
    """Count the messages of each RabbitMQ queue that are with no consumer.

    Raise BrokerUnavailableError if the broker can't be reached or a queue is missing.
    """
    counts = {}
    with connect(url) as connection:
        for queue in queues:
            try:
                channel = connection.channel()
                counts[queue] = int(channel.queue_declare(queue, passive=True).method.message_count)
                channel.close()
            except ChannelClosedByBroker as error:
                raise BrokerUnavailableError(f"queue {queue!r} is missing: run `xqueue-broker declare`") from error
            except AMQPError as error:
                raise BrokerUnavailableError(f"the broker was lost: {error!r}") from error
    return counts
