"""Keeps a process up to date with the ledger: a replay at start, then every frame as it is written."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import wait as wait_for_any
from datetime import UTC, datetime, timedelta
from threading import Event as Flag

from aio_pika.abc import AbstractChannel
from aiormq.abc import DeliveredMessage
from aiormq.exceptions import ChannelNotFoundEntity

from broker_setup.connection import CONNECTION_ERRORS, Link
from broker_setup.errors import BadMessageError, BrokerUnavailableError
from broker_setup.ledger.frames import Frame, decode_frame
from broker_setup.ledger.replay import Start, replay
from broker_setup.ledger.writer import LedgerWriter
from broker_setup.topology import LEDGER

log = logging.getLogger(__name__)

PREFETCH = 500
ACK_EVERY = 100
RETRY_SECONDS = 0.5
# How long a marker may take that is written while we follow: a broker that is well needs a millisecond.
MARKER_SECONDS = 5.0
# Two chunks: the next is decoded while one is applied, and no more piles up in memory.
CHUNKS_AHEAD = 2
STOP_LOOK_SECONDS = 0.5


class MarkerLostError(BrokerUnavailableError):
    """A marker was written, and did not come back."""


class LedgerReader:
    """Hands every frame to `apply`, in order; says whether it is up to date, and if not, why."""

    def __init__(
        self,
        *,
        url: str,
        link: Link,
        writer: LedgerWriter,
        apply: Callable[[Frame], None],
        window: float,
    ) -> None:
        self._url = url
        self._link = link
        self._writer = writer
        self._apply = apply
        self._window = window
        self._next: int | None = None  # the offset to go on from; None: begin with a replay
        self._up_to_date = asyncio.Event()
        self._lost = asyncio.Event()
        self._markers: dict[bytes, asyncio.Future[None]] = {}
        self._unacked = 0
        self.problem = "the ledger is being replayed"

    @property
    def is_up_to_date(self) -> bool:
        """Whether everything that was in the ledger has been applied, and what is written now will be."""
        return self._up_to_date.is_set()

    async def wait_up_to_date(self, seconds: float) -> None:
        """Return once up to date; raise BrokerUnavailableError if that takes longer than `seconds`."""
        if self._up_to_date.is_set():
            return
        try:
            async with asyncio.timeout(seconds):
                await self._up_to_date.wait()
        except TimeoutError:
            raise BrokerUnavailableError(self.problem) from None

    async def barrier(self) -> None:
        """Return when everything that was written before this call has been applied.

        Raise BrokerUnavailableError if that can't be known in time.
        """
        appended = self._writer.append()
        seen = self._markers.setdefault(appended.frame, asyncio.get_running_loop().create_future())
        try:
            await asyncio.shield(appended.confirmed)
            async with asyncio.timeout(MARKER_SECONDS):
                await asyncio.shield(seen)
        except TimeoutError:
            raise MarkerLostError("the ledger is not being read at the moment") from None
        finally:
            self._markers.pop(appended.frame, None)

    async def run(self) -> None:
        """Replay, follow, and start over where that was lost, until cancelled."""
        while True:
            await self._link.wait_up()
            try:
                if self._next is None:
                    await self._replay()
                await self._follow()
            except ChannelNotFoundEntity:
                self._fail(f"{LEDGER} is missing: run `xqueue-broker declare`")
                # A new stream counts from 0; what we know already stays known.
                self._next = 0
            except (BrokerUnavailableError, *CONNECTION_ERRORS) as error:
                self._fail(f"the ledger is lost: {error}")
            finally:
                self._up_to_date.clear()
            await asyncio.sleep(RETRY_SECONDS)

    async def _replay(self) -> None:
        marker = self._writer.append()
        await asyncio.shield(marker.confirmed)
        chunks: asyncio.Queue[tuple[Sequence[Frame], int]] = asyncio.Queue(CHUNKS_AHEAD)
        loop = asyncio.get_running_loop()
        stop = Flag()

        def deliver(frames: Sequence[Frame], offset: int) -> None:
            # Waits in the thread until the loop has room, or nobody wants it any more.
            put = asyncio.run_coroutine_threadsafe(chunks.put((frames, offset)), loop)
            while not put.done() and not stop.is_set():
                wait_for_any({put}, STOP_LOOK_SECONDS)

        start: Start = datetime.now(UTC) - timedelta(seconds=self._window)
        reading = asyncio.create_task(asyncio.to_thread(replay, self._url, start, marker.frame, deliver, stop))
        began, events = loop.time(), 0
        try:
            while not reading.done() or not chunks.empty():
                getting = asyncio.create_task(chunks.get())
                await asyncio.wait({reading, getting}, return_when=asyncio.FIRST_COMPLETED)
                if not getting.done():
                    getting.cancel()
                    continue
                frames, offset = getting.result()
                for frame in frames:
                    self._apply_safely(frame)
                    events += len(frame.events)
                self._next = offset + 1
                await asyncio.sleep(0)
            await reading
        except BaseException:
            self._next = None
            raise
        finally:
            stop.set()
        log.info("replayed %d events of the ledger in %.1f s", events, loop.time() - began)

    async def _follow(self) -> None:
        self._lost.clear()
        channel = await self._link.channel(prefetch=PREFETCH)
        channel.close_callbacks.add(self._on_lost)
        underlay = await channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(self._on_lost)
        await underlay.basic_consume(LEDGER, self._take, arguments={"x-stream-offset": self._next})
        try:
            # A stream that was deleted and made anew is found out here: its offsets begin at 0 again.
            await self._prove()
            self._up_to_date.set()
            self.problem = ""
            await self._lost.wait()
        finally:
            channel.close_callbacks.discard(self._on_lost)
            await self._close(channel)
        raise BrokerUnavailableError("its consumer was cancelled or its channel closed")

    async def _prove(self) -> None:
        try:
            await self.barrier()
        except MarkerLostError:
            self._next = 0
            raise

    async def _take(self, message: DeliveredMessage) -> None:
        headers = message.header.properties.headers or {}
        offset = headers.get("x-stream-offset")
        if isinstance(offset, int):
            if self._next is not None and offset < self._next:
                return  # a consumer starts at a chunk, which may hold frames that we have
            self._next = offset + 1
        try:
            frame = decode_frame(message.body)
        except BadMessageError as error:
            log.warning("skipping a frame of the ledger at offset %s: %s", offset, error)
        else:
            self._apply_safely(frame)
            seen = self._markers.get(frame.id)
            if seen and not seen.done():
                seen.set_result(None)
        self._unacked += 1
        if self._unacked >= ACK_EVERY:
            self._unacked = 0
            await message.channel.basic_ack(message.delivery_tag or 0, multiple=True, wait=False)

    def _apply_safely(self, frame: Frame) -> None:
        try:
            self._apply(frame)
        except Exception:
            # A mistake of ours must not stop the reading: every later event would be lost on us.
            log.exception("frame %s of the ledger could not be applied", frame.id.hex())

    def _on_lost(self, *_: object) -> None:
        self._up_to_date.clear()
        self._lost.set()

    async def _close(self, channel: AbstractChannel) -> None:
        if channel.is_closed:
            return
        try:
            async with asyncio.timeout(1):
                await channel.close()
        except CONNECTION_ERRORS as error:
            log.debug("the ledger's channel was gone before it was closed: %r", error)

    def _fail(self, why: str) -> None:
        if why != self.problem:
            log.warning("%s", why)
        self.problem = why
