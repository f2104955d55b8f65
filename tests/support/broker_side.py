"""The broker as an operator sees it from beside the gateway: what is ready where, what came, and mischief by hand."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel

from broker_setup.topology import CHECKED_QUEUE, SUBMISSIONS_EXCHANGE, submissions_queue
from tests.support.gateway import PATIENCE_SECONDS, wait_until


@dataclass(frozen=True)
class Came:
    """A message that was taken out of a queue."""

    body: bytes
    correlation_id: str | None
    headers: dict[str, Any]


class BrokerSide:
    """One channel of one connection to a test's virtual host."""

    def __init__(self, channel: BlockingChannel) -> None:
        self._channel = channel

    def ready(self, queue: str) -> int:
        """Count the messages of a RabbitMQ queue that are with no consumer."""
        return int(self._channel.queue_declare(queue, passive=True).method.message_count)

    def consumers(self, queue: str) -> int:
        """Count the consumers of a RabbitMQ queue."""
        return int(self._channel.queue_declare(queue, passive=True).method.consumer_count)

    def wait_ready(self, queue: str, count: int, within: float = PATIENCE_SECONDS) -> None:
        wait_until(lambda: self.ready(queue) == count, within, f"{queue} did not come to hold {count} in {within} s")

    def take(self, queue: str = CHECKED_QUEUE) -> Came | None:
        """Take one message out of a queue, if there is one."""
        method, properties, body = self._channel.basic_get(queue, auto_ack=True)
        if method is None:
            return None
        return Came(body, properties.correlation_id, dict(properties.headers or {}))

    def take_all(self, queue: str = CHECKED_QUEUE) -> list[Came]:
        came = []
        while (message := self.take(queue)) is not None:
            came.append(message)
        return came

    def publish_submission(self, queue: str, body: bytes, **properties: Any) -> None:
        """Put anything at all into a course queue."""
        basic = pika.BasicProperties(delivery_mode=2, **properties)
        self._channel.basic_publish(SUBMISSIONS_EXCHANGE, queue, body, basic, mandatory=True)

    def delete(self, course_queue: str) -> None:
        """Delete a course queue, with all that is in it."""
        self.delete_any(submissions_queue(course_queue))

    def delete_any(self, queue: str) -> None:
        """Delete a RabbitMQ queue."""
        self._channel.queue_delete(queue)


@contextlib.contextmanager
def broker_side(amqp_url: str) -> Iterator[BrokerSide]:
    """Connect beside the gateway for as long as the block runs."""
    parameters = pika.URLParameters(amqp_url)
    parameters.heartbeat = 0  # nobody here answers heartbeats while a test does other things
    connection = pika.BlockingConnection(parameters)
    try:
        yield BrokerSide(connection.channel())
    finally:
        with contextlib.suppress(pika.exceptions.AMQPError):
            connection.close()
