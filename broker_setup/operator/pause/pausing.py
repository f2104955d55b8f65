"""Pauses a queue and lets it go on: at the broker, then in the ledger, by which gateways hear of it at once."""

import asyncio
from time import time

from broker_setup.errors import BrokerUnavailableError
from broker_setup.ledger.events import Act, Acted
from broker_setup.link.broker_calls import broker_calls, close_channel
from broker_setup.operator.session import Session
from broker_setup.queue_arguments import COPIES_OF_A_WORD
from broker_setup.settings import Settings
from broker_setup.topology import PAUSED_EXCHANGE, paused_queue
from broker_setup.wire.pauses import Pause, encode_pause

# Whoever reads why a queue is paused has a word in hand for some milliseconds, and puts it back; two readers have both.
IN_HAND_SECONDS = 0.5


async def pause_queue(settings: Settings, pause: Pause) -> str:
    """Pause a queue in place of how it was paused before; return why the ledger does not tell of it, "" if it does.

    Killed in between, it is paused, and gateways see that within seconds. Raise BrokerUnavailableError or
    UnroutableError if it is not paused.
    """
    session = Session(settings, "xqueue-broker pause")
    async with session.open(read_ledger=False):
        for _ in range(COPIES_OF_A_WORD):
            await session.publisher.publish_copy(encode_pause(pause), exchange=PAUSED_EXCHANGE, routing_key=pause.queue)
        until = 0.0 if pause.until is None else pause.until.timestamp()
        return await _noted(session, Acted(time(), b"", Act.PAUSED, pause.by, pause.queue, pause.reason, until))


async def resume_queue(settings: Settings, queue: str, *, by: str) -> tuple[bool, str]:
    """Let a queue go on; return whether it was paused, and why the ledger does not tell of it, "" if it does."""
    session = Session(settings, "xqueue-broker resume")
    async with session.open(read_ledger=False):
        if not await _taken_out(session, queue):
            return False, ""
        return True, await _noted(session, Acted(time(), b"", Act.RESUMED, by, queue))


async def _taken_out(session: Session, queue: str) -> int:
    taken = 0
    with broker_calls("the queue could not be resumed"):
        channel = await session.source.channel()
        taken += await channel.purge(paused_queue(queue))
        if taken < COPIES_OF_A_WORD:
            await asyncio.sleep(IN_HAND_SECONDS)
            taken += await channel.purge(paused_queue(queue))
        await close_channel(channel)
    return taken


async def _noted(session: Session, event: Acted) -> str:
    try:
        await session.ledger.store(event)
    except BrokerUnavailableError as error:
        return str(error)
    return ""
