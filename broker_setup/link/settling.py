"""How a delivery is settled: what has to be stored before is tried, what failed goes back after a pause.

The gateway, the bridge, the relay and the grader library all settle their deliveries by these functions.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from msgspec import Struct

from ..amqp.messages import Arrival, Source
from ..errors import BrokerUnavailableError, MistakeError, UnroutableError, XQueueError
from ..process.shortages import shortage
from .ending import Ending, end_delivery

log = logging.getLogger(__name__)

# The pause before a delivery goes back whose copy could not be stored, and between two tries to store or to consume.
PAUSE_SECONDS = 1.0
# The pause before one goes back whose SECRET_KEY is not known here: another process may know it, or this one when it
# has been started with other settings.
SECRET_PAUSE_SECONDS = 10.0
# How often something is tried that fails for no reason that we know: it may have been the moment. Counted here, as not
# every version of the broker counts what is given back.
TRIES_DESPITE_MISTAKES = 3

Stored = TypeVar("Stored")


class Hold(Struct, frozen=True):
    """An unacked delivery: its tag and channel, not its body; `redriven` says how often its copy was redriven."""

    channel: Source
    consumer_tag: str
    delivery_tag: int
    redriven: int = 0

    @classmethod
    def of(cls, message: Arrival, redriven: int = 0) -> "Hold":
        """Make the hold of a delivery."""
        return cls(message.channel, message.consumer_tag, message.delivery_tag, redriven)


async def ending_after(store: Awaitable[object], *, failed: str) -> Ending:
    """Await what has to be stored before a delivery is acked, and say how that ends: acked, or returned after a pause.

    `failed` is what the log says where it can't be stored: whose it is, and what is not done.
    """
    try:
        await store
    except XQueueError as error:
        log.warning("%s, and comes again: %s", failed, error)
    except Exception:  # a mistake of ours: not acked, so not lost
        log.exception("%s, and comes again: unexpected error", failed)
    else:
        return Ending.ACKED
    await pause()
    return Ending.RETURNED


async def until_stored(
    store: Callable[[], Awaitable[Stored]], *, whose: str, passing: tuple[type[XQueueError], ...] = (XQueueError,)
) -> Stored:
    """Have something stored, again and again while that fails with what is `passing`; `whose` is for the log."""
    while True:
        try:
            return await store()
        except passing as error:
            # What no queue takes waits for somebody who makes the queue; all else passes by itself.
            level = logging.ERROR if isinstance(error, UnroutableError) else logging.WARNING
            log.log(level, "%s: not stored yet: %s", whose, error)
            await pause()


async def despite_mistakes(store: Callable[[], Awaitable[Stored]], *, whose: str) -> Stored:
    """Have something stored; where that fails for no reason that is known, a few times, with a pause in between.

    Raise MistakeError after the last: given back, its delivery would come again without end. What the broker or this
    machine lacks is raised as it is: that passes, and is no reason to set anything aside. `whose` is for the log.
    """
    tries = 0
    while True:
        try:
            return await store()
        except XQueueError:
            raise
        except Exception as error:
            tries += 1
            if shortage(error):
                raise
            log.exception("%s: unexpected error, try %d of %d", whose, tries, TRIES_DESPITE_MISTAKES)
            if tries == TRIES_DESPITE_MISTAKES:
                raise MistakeError(f"unexpected error: {type(error).__name__}") from error
        await pause()


async def pause() -> None:
    """Wait before the next try: without that, what fails at once would be tried again without a break."""
    await asyncio.sleep(PAUSE_SECONDS)


def end(hold: Hold, how: Ending) -> None:
    """Ack, return or reject; where the channel is gone the delivery comes again, and is decided on anew."""
    try:
        end_delivery(hold.channel, hold.delivery_tag, how)
    except BrokerUnavailableError as error:
        log.debug("a delivery of %s is void and comes again: %s", hold.consumer_tag, error)


def end_message(message: Arrival, how: Ending) -> None:
    """End a delivery of which no hold was made, because it was dealt with at once."""
    end(Hold.of(message), how)
