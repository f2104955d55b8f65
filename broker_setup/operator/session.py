"""What an operator's command that changes something works with: two connections, a publisher, and the ledger."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from broker_setup.amqp.errors import AmqpError
from broker_setup.errors import BrokerUnavailableError
from broker_setup.ledger.ledger import Ledger
from broker_setup.ledger.state import LedgerState
from broker_setup.link.connection import Link, supervised
from broker_setup.link.publisher import Publisher
from broker_setup.link.refusals import in_words
from broker_setup.process.process_name import process_name
from broker_setup.settings import Settings
from broker_setup.topology import MIGRATING

# It goes with the connection of whoever has it.
MOVING_LOCK = f"{MIGRATING}.lock"
CONNECT_SECONDS = 10.0
REPLAY_SECONDS = 300.0


class Session:
    """`source` is to consume on, `publisher` has a link of its own, on which the `ledger` writes, too."""

    def __init__(self, settings: Settings, command: str) -> None:
        """Build it; nothing is opened yet. `command` is for the ledger and the management UI."""
        url, name = settings.amqp_url.get_secret_value(), process_name(command)
        self.name = name
        self.source = Link(url, f"{name} consume")
        self._sink = Link(url, f"{name} publish")
        self.publisher = Publisher(self._sink)
        self.ledger = Ledger(
            link=self.source,
            publisher=self.publisher,
            state=LedgerState(),
            window=settings.ledger_window,
            name=name,
        )

    @contextlib.asynccontextmanager
    async def open(self, *, read_ledger: bool = True) -> AsyncIterator[None]:
        """Connect for as long as the block runs; with `read_ledger` the ledger's state is up to date when it begins.

        Raise BrokerUnavailableError if the broker, or the ledger that is asked for, does not answer in time.
        """
        async with supervised(self.source, self._sink):
            await self._connected()
            reading = asyncio.create_task(self.ledger.read()) if read_ledger else None
            try:
                if reading:
                    await self.ledger.wait_up_to_date(REPLAY_SECONDS)
                yield
            finally:
                if reading:
                    reading.cancel()
                    await asyncio.wait({reading})

    async def claim(self, lock: str = MOVING_LOCK, whose: str = "`migrate`, `export` or `import`") -> None:
        """Have a lock to the end of this session; raise BrokerUnavailableError where another one has it.

        Without any other, it is that of whoever moves or copies all there is.
        """
        channel = await self.source.channel()
        try:
            await channel.declare_exclusive(lock)
        except AmqpError as error:
            raise BrokerUnavailableError(f"another {whose} is at work: {in_words(error)}") from error

    async def _connected(self) -> None:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await asyncio.gather(self.source.wait_up(), self._sink.wait_up())
        except TimeoutError:
            raise BrokerUnavailableError("can't connect to the broker") from None
