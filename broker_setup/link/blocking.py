"""Plain, blocking connections to the broker, for steps that have nothing else to do meanwhile."""

import random
import ssl
from collections.abc import Iterable, Mapping, Sequence

import pika
from pika.exceptions import AMQPConnectionError, AMQPError, ChannelClosedByBroker

from ..amqp.errors import NOT_FOUND
from ..errors import BrokerUnavailableError, BrokerUnreachableError
from ..failure_words import why_within
from .broker_url import address_of, each_of, without_ca_bundle
from .refusals import broker_words, with_advice

PATIENCE_SECONDS = 10


def connect(url: str) -> pika.BlockingConnection:
    """Open a connection, to be used with `with`; raise BrokerUnreachableError if the broker can't be reached."""
    try:
        return pika.BlockingConnection(parameters_of(url, heartbeat=10, patience=PATIENCE_SECONDS))
    except (AMQPConnectionError, OSError) as error:
        why = why_within(error) or with_advice(broker_words(" ".join(map(str, error.args))))
        raise BrokerUnreachableError(f"can't connect to the broker at {address_of(url)}: {why}") from error


def parameters_of(url: str, *, heartbeat: int, patience: float) -> Sequence[pika.URLParameters]:
    """Return pika's parameters, for each node in random order; pika tries all addresses of each."""
    nodes = each_of(url)
    random.shuffle(nodes)
    return [_parameters(node, heartbeat, patience / len(nodes)) for node in nodes]


def _parameters(uri: str, heartbeat: int, patience: float) -> pika.URLParameters:
    plain, ca_bundle = without_ca_bundle(uri)
    parameters = pika.URLParameters(plain)
    if plain.startswith("amqps:"):
        parameters.ssl_options = pika.SSLOptions(ssl.create_default_context(cafile=ca_bundle), parameters.host)
    parameters.heartbeat = heartbeat
    parameters.socket_timeout = parameters.stack_timeout = patience
    parameters.blocked_connection_timeout = PATIENCE_SECONDS
    return parameters


def count_ready(url: str, queues: Iterable[str], *, if_there: Iterable[str] = ()) -> Mapping[str, int]:
    """Count the ready messages of each RabbitMQ queue, as `look_at` does."""
    return {queue: ready for queue, (ready, _) in look_at(url, queues, if_there=if_there).items()}


def look_at(url: str, queues: Iterable[str], *, if_there: Iterable[str] = ()) -> Mapping[str, tuple[int, int]]:
    """Count ready messages and consumers of each RabbitMQ queue; a queue of `if_there` that is missing is left out.

    Raise BrokerUnavailableError if the broker can't be reached or another queue is missing.
    """
    seen = {}
    optional = set(if_there)
    with connect(url) as connection:
        for queue in (*queues, *optional):
            try:
                channel = connection.channel()
                said = channel.queue_declare(queue, passive=True).method
                seen[queue] = int(said.message_count), int(said.consumer_count)
                channel.close()
            except ChannelClosedByBroker as error:
                if queue in optional and error.reply_code == NOT_FOUND:
                    continue
                raise BrokerUnavailableError(f"queue {queue!r} is missing: run `xqueue-broker declare`") from error
            except AMQPError as error:
                why = why_within(error) or broker_words(str(error))
                raise BrokerUnavailableError(f"the broker was lost: {why}") from error
    return seen
