"""A supervised connection to the broker: opened, watched and opened again; whoever needs a channel asks for one.

A channel that has closed is not opened again here: the deliveries held on it are gone, which nobody must overlook.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic

from ..amqp.channel import Channel
from ..amqp.connection import Connection, connect
from ..amqp.errors import AmqpError
from ..errors import BrokerUnavailableError
from .broker_calls import CONNECTION_ERRORS, broker_calls, close_quietly
from .broker_url import address_of, user_of, ways_to
from .essential import essential
from .refusals import in_words
from .watching import Outage, until_silent

log = logging.getLogger(__name__)

# A dead peer is noticed within three heartbeats; at RabbitMQ's default of 60 s that would be three minutes.
HEARTBEAT_SECONDS = 10
CONNECT_TIMEOUT_SECONDS = 5.0
# For one node, where there is another to try.
NODE_TIMEOUT_SECONDS = 2.0
CLOSE_TIMEOUT_SECONDS = 3.0
# Full jitter below these, so that many gateways don't come back to a restarted broker in one moment.
FIRST_BACKOFF_SECONDS = 0.1
MAX_BACKOFF_SECONDS = 2.0


class Link:
    """One named connection to the broker, kept up by `run`."""

    def __init__(self, url: str, name: str, *, heartbeat: int = HEARTBEAT_SECONDS) -> None:
        """Have this `name` at the broker, and this `heartbeat` (s), by which either side notices a dead other."""
        self._url = url
        self._heartbeat = heartbeat
        self.name = name
        self.user = user_of(url)
        self._address = address_of(url)
        self._connection: Connection | None = None
        self.opened = 0  # how many connections there have been, with the present one
        self._way = ""  # the node of the present connection, or of the last
        self._ways = 1
        self._up = asyncio.Event()
        self._drop = asyncio.Event()
        self._closing: set[asyncio.Task[None]] = set()
        self._watching: asyncio.Task[None] | None = None

    @property
    def is_up(self) -> bool:
        """Whether the connection stands, as far as this side knows."""
        return self._up.is_set()

    @property
    def has_other_nodes(self) -> bool:
        """Whether there is another node to connect to."""
        return self._ways > 1

    async def wait_up(self) -> None:
        """Return once the connection stands."""
        await self._up.wait()

    async def channel(self, *, prefetch: int | None = None) -> Channel:
        """Open a channel, whose publishes are confirmed; raise BrokerUnavailableError where there is no connection."""
        connection = self._connection
        if connection is None:
            raise BrokerUnavailableError("no connection to the broker")
        with broker_calls("the broker opened no channel"):
            async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
                channel = await connection.channel()
                if prefetch is not None:
                    await channel.set_prefetch(prefetch)
        return channel

    @property
    def is_blocked(self) -> bool:
        """Whether the broker has told us that it takes nothing on this connection: memory or disk is short."""
        return self._connection is not None and self._connection.is_blocked

    def drop(self, why: str) -> None:
        """Give up the present connection, which is of no use, and open another: to another node, if one answers."""
        log.warning("%s: dropping the connection: %s", self.name, why)
        self._drop.set()

    async def run(self) -> None:
        """Keep the connection up until cancelled."""
        backoff = FIRST_BACKOFF_SECONDS
        outage: Outage | None = None
        while True:
            try:
                with broker_calls("connecting"):
                    connection = await self._connect()
            except BrokerUnavailableError as error:
                outage = outage or Outage(self._address, monotonic())
                level, words = outage.failed(in_words(error.__cause__ or error), monotonic())
                log.log(level, "%s: %s", self.name, words)
            else:
                backoff, outage = FIRST_BACKOFF_SECONDS, None
                try:
                    await self._drop.wait()
                finally:
                    self._part_from(connection)
            # Jitter for spreading load needs no cryptographic randomness.
            await asyncio.sleep(random.uniform(0, backoff))  # noqa: S311
            backoff = min(2 * backoff, MAX_BACKOFF_SECONDS)

    async def close(self) -> None:
        """Give the connections that are being closed a moment."""
        if self._closing:
            await asyncio.wait(self._closing, timeout=CLOSE_TIMEOUT_SECONDS)

    async def _connect(self) -> Connection:
        self._drop.clear()
        connection = await self._reach()
        if connection.is_closed:
            raise BrokerUnavailableError("the connection was lost as soon as it stood")
        connection.on_closed.add(lambda error: self._on_closed(connection, error))
        self._connection = connection
        self.opened += 1
        self._up.set()
        if self.has_other_nodes:
            self._watching = asyncio.create_task(self._watch(connection), name=f"watch {self.name}")
        log.info("%s: connected to the broker", self.name)
        return connection

    async def _reach(self) -> Connection:
        """Connect to the first node that answers; raise what the last one said."""
        async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
            ways = await ways_to(self._url)
        self._ways = len(ways)
        patience = NODE_TIMEOUT_SECONDS if self.has_other_nodes else CONNECT_TIMEOUT_SECONDS
        # The end of the list is tried first. The node of the last connection goes to its beginning, so that it is tried
        # last: it is away or frozen, or no longer has what we need.
        ways.sort(key=lambda way: way != self._way)
        while True:
            way = ways.pop()
            try:
                async with asyncio.timeout(patience):
                    connection = await connect(way, name=self.name, heartbeat=self._heartbeat)
            except CONNECTION_ERRORS as error:
                if not ways:
                    raise
                log.info("%s: no connection to %s: %s", self.name, address_of(way), in_words(error))
            else:
                self._way = way
                return connection

    async def _watch(self, connection: Connection) -> None:
        await until_silent(connection, self._heartbeat)
        self.drop(f"nothing has come on it for {self._heartbeat} s, and there is another node")

    def _part_from(self, connection: Connection) -> None:
        self._connection = None
        self._up.clear()
        if self._watching:
            self._watching.cancel()
        # In a task that nobody waits for: to a peer that has stopped reading, closing takes as long as it likes.
        closing = asyncio.create_task(close_quietly(connection), name=f"close {self.name}")
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    def _on_closed(self, connection: Connection, error: AmqpError) -> None:
        # An old connection that closes late says nothing of the present one.
        if connection is self._connection:
            log.warning("%s: the connection to the broker is gone: %s", self.name, in_words(error))
            self._connection = None
            self._up.clear()
            self._drop.set()


@asynccontextmanager
async def supervised(*links: Link, **ending: Callable[[str], None]) -> AsyncIterator[None]:
    """Keep `links` up for as long as the block runs, then close them; `ending` is for `essential`."""
    try:
        async with essential({f"link {link.name}": link.run() for link in links}, **ending):
            yield
    finally:
        await asyncio.gather(*(link.close() for link in links))
