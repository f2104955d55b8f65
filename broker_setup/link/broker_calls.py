"""How calls to the broker fail, for whoever makes one, and how a channel is closed."""

import asyncio
import contextlib
from collections.abc import Iterator

from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPError

from broker_setup.errors import BrokerUnavailableError
from broker_setup.link.refusals import in_words

# How long a caller waits for a channel to close; the closing then goes on without it.
CHANNEL_CLOSE_SECONDS = 1.0
_channels_closing: set[asyncio.Task[None]] = set()

CONNECTION_ERRORS = (AMQPError, OSError, TimeoutError, RuntimeError)


@contextlib.contextmanager
def broker_calls(what: str) -> Iterator[None]:
    """Turn every way in which the block's broker calls can fail into a BrokerUnavailableError that says `what` failed.

    That includes the CancelledError with which aiormq ends the calls of a connection that goes away: taken for a real
    one it would end the task that made the call, without a word.
    """
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise BrokerUnavailableError(f"{what}: the connection to the broker was lost") from None
    except CONNECTION_ERRORS as error:
        raise BrokerUnavailableError(f"{what}: {in_words(error)}") from error


def heed_cancel() -> None:
    """Raise the CancelledError that a library's call has swallowed, so that a cancelled task does not go on for ever.

    aio_pika connects with asyncio.wait_for, and in Python 3.11 that keeps a cancel to itself where it meets a result.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def close_channel(channel: AbstractChannel) -> None:
    """Close a channel, and wait a moment for that; what was unsettled on it is for the caller to deal with.

    The closing itself is never cancelled, by a timeout or with its caller: aiormq would send a second close then, and
    for that RabbitMQ ends the whole connection, with everything held on its other channels.
    """
    if channel.is_closed:
        return
    closing = asyncio.create_task(close_quietly(channel))
    _channels_closing.add(closing)
    closing.add_done_callback(_channels_closing.discard)
    await asyncio.wait({closing}, timeout=CHANNEL_CLOSE_SECONDS)


async def close_quietly(what: AbstractConnection | AbstractChannel) -> None:
    """Close; it is no error if it is closed already."""
    with contextlib.suppress(BrokerUnavailableError), broker_calls("closing"):
        await what.close()
