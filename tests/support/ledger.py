"""A process that reads and writes the ledger, as small as it gets, and the ledger as pika sees it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field

import pika
from pika.adapters.blocking_connection import BlockingChannel

from broker_setup.ledger.events import AnyEvent
from broker_setup.ledger.frames import Frame, encode_frame, new_frame_id
from broker_setup.ledger.reader import LedgerReader
from broker_setup.ledger.writer import LedgerWriter
from broker_setup.link.connection import Link, supervised
from broker_setup.link.publisher import Publisher
from broker_setup.topology import LEDGER

DAY = 24 * 3600.0


@dataclass
class Follower:
    """What it has read, in order, and how it writes."""

    link: Link
    writer: LedgerWriter
    frames: list[Frame] = field(default_factory=list)
    reader: LedgerReader = field(init=False)

    @property
    def events(self) -> list[AnyEvent]:
        return [event for frame in self.frames for event in frame.events]

    async def write(self, *events: AnyEvent) -> None:
        """Write one frame and wait for its confirm."""
        await self.writer.append(*events).confirmed

    async def catch_up(self, within: float = 60) -> None:
        await self.reader.wait_up_to_date(within)
        await self.reader.barrier()


@contextlib.asynccontextmanager
async def follower(
    url: str, name: str = "follower", *, read_by: str | None = None, window: float = DAY, pause: float = 0
) -> AsyncIterator[Follower]:
    """Run one; `read_by` is another URL for what it reads, by way of a proxy say; a frame costs it `pause` seconds."""
    link, sink = Link(read_by or url, f"{name} reads"), Link(url, f"{name} writes")
    made = Follower(link, LedgerWriter(Publisher(sink), name))

    def apply(frame: Frame) -> None:
        time.sleep(pause)
        made.frames.append(frame)

    made.reader = LedgerReader(link=link, writer=made.writer, apply=apply, window=window)
    async with supervised(link, sink):
        running = asyncio.create_task(made.reader.run())
        try:
            yield made
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running


def events_in(amqp_url: str) -> list[AnyEvent]:
    """All that stands in the ledger."""

    async def read() -> list[AnyEvent]:
        async with follower(amqp_url) as it:
            await it.catch_up()
            return it.events

    return asyncio.run(read())


@contextlib.contextmanager
def pika_channel(url: str) -> Iterator[BlockingChannel]:
    """A channel with confirms for as long as the block runs."""
    parameters = pika.URLParameters(url)
    parameters.heartbeat = 0  # nobody answers heartbeats while the block does something else
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        yield channel


def write_frames(url: str, frames: Sequence[Sequence[AnyEvent]], writer: str = "gateway 1") -> None:
    """Write each of `frames` to the ledger as a message of its own."""
    with pika_channel(url) as channel:
        for events in frames:
            write_body(channel, encode_frame(Frame(new_frame_id(), writer, events)).body)


def write_body(channel: BlockingChannel, body: bytes) -> None:
    channel.basic_publish("", LEDGER, body, pika.BasicProperties(delivery_mode=2), mandatory=True)
