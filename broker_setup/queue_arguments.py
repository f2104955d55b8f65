"""What RabbitMQ is told of a queue: its type, what it counts, how long messages stay, where its dead letters go."""

from collections.abc import Mapping
from types import MappingProxyType

# RabbitMQ counts returns, and up to 4.2 every requeue is one; attempts are counted by us. Unset means "none" up
# to 3.13 and 20 from 4.0, -1 loses messages before 4.0; set, requeued messages go to the head on every version.
DELIVERY_LIMIT = 1_000_000

# Above the longest processing delay that the settings allow (12 h). Ignored by 3.10, where rabbitmq.conf rules.
CONSUMER_TIMEOUT_MS = 24 * 3600 * 1000

# One would do, but whoever reads why a queue is paused has a message in hand for a moment, and then it is not counted.
COPIES_OF_A_WORD = 2

# Retention goes by whole segments and always keeps the last one, so they are small.
LEDGER_SEGMENT_BYTES = 10_000_000

Arguments = Mapping[str, str | int]


def work_queue(
    *,
    dead_letters_to: tuple[str, str] | None = None,
    message_ttl: float | None = None,
    consumer_timeout_ms: int | None = None,
) -> Arguments:
    """Give those of a queue from which messages are taken, and to which they are given back.

    Its dead letters go to an exchange and a routing key, also what has stayed for `message_ttl` seconds.
    """
    arguments = waiting_queue(message_ttl=message_ttl, dead_letters_to=dead_letters_to)
    timeout = {} if consumer_timeout_ms is None else {"x-consumer-timeout": consumer_timeout_ms}
    return MappingProxyType({**arguments, "x-delivery-limit": DELIVERY_LIMIT, **timeout})


def waiting_queue(*, dead_letters_to: tuple[str, str] | None, message_ttl: float | None) -> Arguments:
    """Give those of a queue that nobody reads: what is in it waits for `message_ttl` seconds, and moves on."""
    arguments: dict[str, str | int] = {"x-queue-type": "quorum"}
    if message_ttl is not None:
        arguments["x-message-ttl"] = round(message_ttl * 1000)
    if dead_letters_to:
        exchange, routing_key = dead_letters_to
        # At-least-once needs reject-publish beside it, or RabbitMQ falls back to at-most-once without a word.
        arguments |= {
            "x-dead-letter-exchange": exchange,
            "x-dead-letter-routing-key": routing_key,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        }
    return MappingProxyType(arguments)


def standing_word() -> Arguments:
    """Give those of a queue whose messages say something for as long as they lie there; the newest ones count."""
    return MappingProxyType(
        {**work_queue(), "x-max-length": COPIES_OF_A_WORD, "x-overflow": "drop-head"},
    )


def ledger_stream(max_age: int, max_size: int) -> Arguments:
    """Give those of the ledger, which forgets what is older than `max_age` seconds, or beyond `max_size` bytes."""
    return MappingProxyType(
        {
            "x-queue-type": "stream",
            "x-max-age": f"{max_age}s",
            "x-max-length-bytes": max_size,
            "x-stream-max-segment-size-bytes": LEDGER_SEGMENT_BYTES,
        }
    )
