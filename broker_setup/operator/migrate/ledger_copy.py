"""Copies the ledger's frames to another broker, byte for byte and in their order; a frame's id says what is there."""

import asyncio
from collections.abc import Callable, Sequence

from broker_setup.amqp.messages import Arrival
from broker_setup.errors import ArgumentError
from broker_setup.operator.ledger_frames import as_published, frames_up_to_now, says_something
from broker_setup.operator.session import Session
from broker_setup.topology import LEDGER, LEDGER_EXCHANGE
from broker_setup.visible import numbered

PORTION = 200


async def copy_ledger(here: Session, there: Session, tell: Callable[[int], None]) -> int:
    """Copy what is not there yet; return how many frames that were.

    Raise ArgumentError if the other ledger has a history of its own: after that ours would come too late.
    """
    ids_here = {frame.message_id async for frame in frames_up_to_now(here)}
    ids_there: set[str | None] = set()
    own = 0
    async for frame in frames_up_to_now(there):
        ids_there.add(frame.message_id)
        own += frame.message_id not in ids_here and says_something(frame.body)
    if own and ids_here - ids_there:
        raise ArgumentError(
            f"the ledger there has {numbered(own, 'frame')} of its own: gateways work there already. Stop them, delete "
            f"it (`rabbitmqctl delete_queue {LEDGER}`) and `declare` it again there, or give --without-ledger: then "
            "running leases are forgotten"
        )
    copied = 0
    portion: list[Arrival] = []
    async for frame in frames_up_to_now(here):
        if frame.message_id in ids_there or not says_something(frame.body):
            continue
        portion.append(frame)
        if len(portion) == PORTION:
            await _publish(there, portion)
            copied += len(portion)
            portion.clear()
            tell(copied)
    await _publish(there, portion)
    return copied + len(portion)


async def _publish(there: Session, frames: Sequence[Arrival]) -> None:
    # To one routing key the publisher sends in the order of the calls.
    await asyncio.gather(
        *(
            there.publisher.publish_copy(as_published(frame), exchange=LEDGER_EXCHANGE, routing_key=LEDGER)
            for frame in frames
        )
    )
