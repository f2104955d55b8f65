"""How calls to the broker fail, for whoever makes one, and how a channel is closed."""

import asyncio
import contextlib
from collections.abc import Iterator

from ..amqp.channel import Channel
from ..amqp.connection import Connection
from ..amqp.errors import AmqpError
from ..errors import BrokerUnavailableError
from .refusals import in_words

# How long a caller waits for a channel to close; the closing then goes on without it.
CHANNEL_CLOSE_SECONDS = 1.0
_channels_closing: set[asyncio.Task[None]] = set()

CONNECTION_ERRORS = (AmqpError, OSError, TimeoutError)


@contextlib.contextmanager
def broker_calls(what: str) -> Iterator[None]:
    """Turn every way in which the broker calls of a block can fail into a BrokerUnavailableError: `what` failed."""
    try:
        yield
    except CONNECTION_ERRORS as error:
        raise BrokerUnavailableError(f"{what}: {in_words(error)}") from error


async def close_channel(channel: Channel) -> None:
    """Close a channel, and wait a moment for that; what was unsettled on it is for the caller to deal with."""
    closing = asyncio.create_task(close_quietly(channel))
    _channels_closing.add(closing)
    closing.add_done_callback(_channels_closing.discard)
    await asyncio.wait({closing}, timeout=CHANNEL_CLOSE_SECONDS)


async def close_quietly(what: Connection | Channel) -> None:
    """Close; it is no error if it is closed already."""
    with contextlib.suppress(BrokerUnavailableError), broker_calls("closing"):
        await what.close()
