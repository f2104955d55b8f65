"""Applies what the ledger already holds: a thread reads it, and the event loop takes it over chunk by chunk."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import wait as wait_for_any
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from threading import Event as Flag
from time import monotonic

from broker_setup.ledger.applying import BEGINNING, Applying, Position
from broker_setup.ledger.frames import Frame
from broker_setup.ledger.replay import replay

log = logging.getLogger(__name__)

# Two chunks: the next is decoded while one is applied, and no more piles up in memory.
CHUNKS_AHEAD = 2
STOP_LOOK_SECONDS = 0.5


async def replay_all(applying: Applying, url: str, window: float, marker: bytes) -> Position:
    """Apply the last `window` seconds of the ledger, to the frame with the id `marker`; return where that stands.

    Raise BrokerUnavailableError if the broker or the stream is lost, or the marker does not come.
    """
    start = datetime.now(UTC) - timedelta(seconds=window)
    began, events, last = monotonic(), 0, BEGINNING
    async with aclosing(_replayed(url, start, marker)) as chunks:
        async for frames, offset in chunks:
            applying.apply_all(frames)
            events += sum(len(frame.events) for frame in frames)
            last = Position(offset, frames[-1].id)
            await asyncio.sleep(0)
    seconds = monotonic() - began
    log.info("replayed %d events of the ledger in %.1f s, passed over %d", events, seconds, applying.unknown)
    return last


async def _replayed(url: str, start: datetime, marker: bytes) -> AsyncGenerator[tuple[Sequence[Frame], int], None]:
    """Yield the frames from `start` to the one with the id `marker`: some at a time, with the last one's offset.

    The thread ends when this is closed.
    """
    chunks: asyncio.Queue[tuple[Sequence[Frame], int]] = asyncio.Queue(CHUNKS_AHEAD)
    loop = asyncio.get_running_loop()
    stop = Flag()

    def deliver(frames: Sequence[Frame], offset: int) -> None:
        # Waits in the thread until the loop has room, or nobody wants it any more.
        if stop.is_set():
            return
        put = asyncio.run_coroutine_threadsafe(chunks.put((frames, offset)), loop)
        while not put.done() and not stop.is_set():
            wait_for_any({put}, STOP_LOOK_SECONDS)
        put.cancel()

    reading = asyncio.create_task(asyncio.to_thread(replay, url, start, marker, deliver, stop))
    try:
        while not reading.done() or not chunks.empty():
            getting = asyncio.create_task(chunks.get())
            try:
                await asyncio.wait({reading, getting}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not getting.done():
                    getting.cancel()
            if getting.done():
                yield getting.result()
        await reading
    finally:
        stop.set()
