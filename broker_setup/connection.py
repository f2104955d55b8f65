"""A supervised connection to the broker: opened, watched and opened again; whoever needs a channel asks for one.

Plain connections under our own supervisor rather than aio-pika's robust ones: those reopen a channel that the broker
closed and so hide that the deliveries held on it are gone.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPError

from broker_setup.errors import BrokerUnavailableError

log = logging.getLogger(__name__)

# A dead peer is noticed within three heartbeats; at aio-pika's default of 60 s that would be three minutes.
HEARTBEAT_SECONDS = 10
CONNECT_TIMEOUT_SECONDS = 5.0
CLOSE_TIMEOUT_SECONDS = 3.0
# Full jitter below these, so that many gateways don't come back to a restarted broker in one moment.
FIRST_BACKOFF_SECONDS = 0.1
MAX_BACKOFF_SECONDS = 2.0

CONNECTION_ERRORS = (AMQPError, OSError, TimeoutError, RuntimeError)


class Link:
    """One named connection to the broker, kept up by `run`."""

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self.name = name
        self._connection: AbstractConnection | None = None
        self._up = asyncio.Event()
        self._drop = asyncio.Event()

    @property
    def is_up(self) -> bool:
        """Whether the connection stands, as far as this side knows."""
        return self._up.is_set()

    async def wait_up(self) -> None:
        """Return once the connection stands."""
        await self._up.wait()

    async def channel(self, *, prefetch: int | None = None) -> AbstractChannel:
        """Open a channel that confirms publishes and raises for unroutable ones.

        Raise BrokerUnavailableError where there is no connection. Never call it from a task that a client's hanging
        up can cancel: a cancelled call closes the channel under everybody's feet.
        """
        connection = self._connection
        if connection is None:
            raise BrokerUnavailableError("no connection to the broker")
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
                channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                if prefetch is not None:
                    await channel.set_qos(prefetch_count=prefetch)
        except CONNECTION_ERRORS as error:
            raise BrokerUnavailableError(f"the broker opened no channel: {error!r}") from error
        return channel

    def drop(self, why: str) -> None:
        """Give up the present connection, which seems to be dead, and open another."""
        log.warning("%s: dropping the connection: %s", self.name, why)
        self._drop.set()

    async def run(self) -> None:
        """Keep the connection up until cancelled."""
        backoff = FIRST_BACKOFF_SECONDS
        while True:
            try:
                async with self._connected():
                    backoff = FIRST_BACKOFF_SECONDS
                    await self._drop.wait()
            except CONNECTION_ERRORS as error:
                log.warning("%s: no connection to the broker: %s", self.name, _one_line(error))
            # Jitter for spreading load needs no cryptographic randomness.
            await asyncio.sleep(random.uniform(0, backoff))  # noqa: S311
            backoff = min(2 * backoff, MAX_BACKOFF_SECONDS)

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[None]:
        self._drop.clear()
        connection = await aio_pika.connect(
            self._url,
            heartbeat=HEARTBEAT_SECONDS,
            timeout=CONNECT_TIMEOUT_SECONDS,
            client_properties={"connection_name": self.name},
        )
        connection.close_callbacks.add(self._on_closed)
        self._connection = connection
        self._up.set()
        log.info("%s: connected to the broker", self.name)
        try:
            yield
        finally:
            self._connection = None
            self._up.clear()
            # Cancelled or not, the peer gets a moment to take the close, and no more.
            with contextlib.suppress(*CONNECTION_ERRORS):
                async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
                    await connection.close()

    def _on_closed(self, connection: object, error: BaseException | None) -> None:
        if self._connection is not None and self._up.is_set():
            log.warning("%s: the connection to the broker is gone: %s", self.name, _one_line(error))
            self._connection = None
            self._up.clear()
        self._drop.set()


@asynccontextmanager
async def supervised(*links: Link) -> AsyncIterator[None]:
    """Keep `links` up for as long as the block runs, then close them."""
    tasks = [asyncio.create_task(link.run(), name=f"link {link.name}") for link in links]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _one_line(error: BaseException | None) -> str:
    return " ".join(str(error or "closed").split()) or repr(error)
