"""Results to publish, where a test is about publishing rather than about results."""

from broker_setup.amqp.messages import Message
from broker_setup.link.publisher import Publisher
from broker_setup.topology import RESULTS_EXCHANGE, RESULTS_QUEUE
from broker_setup.wire.results import Result, encode_result

UUID = "0123456789abcdef" * 2


def result(body: bytes = b"graded") -> Message:
    """A result, ready to be published once: each publish needs a message of its own."""
    return encode_result(Result(UUID, body, "sealed"))


async def publish(publisher: Publisher, body: bytes = b"graded") -> None:
    await publisher.publish(result(body), exchange=RESULTS_EXCHANGE, routing_key=RESULTS_QUEUE)
