"""Where exported messages go to, in which order, and for how long what waits for a time has still to wait; no I/O."""

from collections.abc import Iterable
from datetime import UTC, datetime

from msgspec import Struct

from broker_setup.amqp.messages import Message
from broker_setup.errors import ArgumentError, BadMessageError
from broker_setup.operator.backup.manifest import ExportedFile
from broker_setup.topology import (
    CHECKED_QUEUE,
    FORMER_RUNGS,
    LEDGER,
    LEDGER_EXCHANGE,
    NOTICES,
    PARKED_EXCHANGE,
    PAUSED_EXCHANGE,
    RETRY_EXCHANGE,
    RUNGS,
    SUBMISSIONS_EXCHANGE,
    SUBMISSIONS_PARKED,
    Topology,
)
from broker_setup.wire.pauses import decode_pause

# By which whoever reads a message knows who wrote it, or what alone leads there. To the others the archive listens, and
# would get all of it a second time.
_KEPT_EXCHANGES = frozenset({LEDGER_EXCHANGE, PARKED_EXCHANGE, PAUSED_EXCHANGE, RETRY_EXCHANGE})
# RabbitMQ has 32 bits for it.
_LONGEST_MS = 2**32 - 1


class Route(Struct, frozen=True):
    """By which exchange and routing key a queue gets what was in it."""

    exchange: str
    routing_key: str


def in_order(files: Iterable[ExportedFile]) -> list[ExportedFile]:
    """Put the ledger first, then pauses, so that nobody gets what is leased or paused; work comes last."""
    return sorted((file for file in files if file.queue), key=lambda file: (_place(file.queue), file.name))


def routes_to(files: Iterable[ExportedFile], topology: Topology) -> dict[str, Route]:
    """Say how each file's messages come to their queue; raise ArgumentError where the settings have no such queue."""
    bound = {
        each.queue: Route(each.exchange, each.routing_key)
        for each in topology.bindings
        if each.exchange in _KEPT_EXCHANGES
    }
    known = {queue.name for queue in topology.queues}
    routes, missing = {}, []
    for file in files:
        queue = file.queue
        if queue not in known and queue.startswith((f"{RUNGS}.", f"{FORMER_RUNGS}.")):
            queue = CHECKED_QUEUE  # the relay finds it another rung, if it needs one
        if queue in known:
            routes[file.queue] = bound.get(queue, Route("", queue))
        else:
            missing.append(queue)
    if missing:
        raise ArgumentError(
            f"by the settings there is no {', '.join(missing)}: set XQUEUES, QUEUE_OPTIONS and NOTICE_GRACE "
            "as they were where the export was made"
        )
    return routes


def as_of(message: Message, queue: str, now: datetime) -> Message | None:
    """Have a message wait for what is left of its time; None where its time is over, and nothing comes after it."""
    if queue.startswith(f"{NOTICES}.") and message.timestamp:
        # It says when it goes.
        message.expiration = _left(message.timestamp, now)
    elif queue.startswith(f"{PAUSED_EXCHANGE}."):
        try:
            until = decode_pause(message.body).until
        except BadMessageError:
            until = None  # whatever lies there pauses the queue
        if until and until <= now:
            return None
        message.expiration = _left(until, now) if until else None
    return message


def _left(until: datetime, now: datetime) -> str:
    return str(min(max(0, round((until.astimezone(UTC) - now).total_seconds() * 1000)), _LONGEST_MS))


def _place(queue: str) -> int:
    if queue == LEDGER:
        return 0
    if queue.startswith(f"{PAUSED_EXCHANGE}."):
        return 1
    if queue.startswith(f"{SUBMISSIONS_EXCHANGE}.") and queue != SUBMISSIONS_PARKED:
        return 4
    return 3 if queue.startswith(f"{NOTICES}.") else 2
