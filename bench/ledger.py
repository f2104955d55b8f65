"""A program of the bench: fills a ledger of a kind, or replays what there is and says how long that took.

`python -m bench.ledger fill KIND SUBMISSIONS`, then `python -m bench.ledger replay`; the broker is XQUEUE_AMQP_URL.
Kinds: `busy` (a whole day's events in full frames), `quiet` (the same, but each event alone in its frame), `backlog`
(submitted, and never leased).
"""

import asyncio
import json
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import uvloop

from broker_setup.connection import Link, supervised
from broker_setup.ledger.events import AnyEvent, Delivered, Graded, Leased, Submitted
from broker_setup.ledger.frames import Frame, encode_frame, new_frame_id
from broker_setup.ledger.reader import LedgerReader
from broker_setup.ledger.state import LedgerState
from broker_setup.ledger.writer import MAX_EVENTS, LedgerWriter
from broker_setup.publisher import Publisher
from broker_setup.topology import LEDGER

# As long as the sealed header of a real LMS.
SEALED = "x" * 500
DAY_SECONDS = 24 * 3600.0
QUIET_IN_FLIGHT = 500
REPLAY_SECONDS = 300.0


def life_of(submission: bytes, *, graded: bool) -> list[AnyEvent]:
    """Make the events of one submission, up to its delivery or only its submit."""
    now, url, key = time.time(), secrets.token_bytes(12), secrets.token_bytes(16)
    submitted = Submitted(now, submission, "bench", url)
    if not graded:
        return [submitted]
    return [
        submitted,
        Leased(now, submission, "bench", url, key, now + 60, SEALED, 1),
        Graded(now, submission, "bench", url, key, key),
        Delivered(now, submission, 1),
    ]


async def fill(publisher: Publisher, kind: str, submissions: int) -> None:
    """Write the events of that many submissions."""
    frames: list[Sequence[AnyEvent]] = []
    batch: list[AnyEvent] = []
    for _ in range(submissions):
        events = life_of(secrets.token_bytes(16), graded=kind != "backlog")
        if kind == "quiet":
            frames += [[event] for event in events]
        else:
            batch += events
            if len(batch) + 4 > MAX_EVENTS:
                frames.append(batch)
                batch = []
        if len(frames) >= QUIET_IN_FLIGHT:
            await _write(publisher, frames)
            frames = []
    await _write(publisher, [*frames, batch])


async def _write(publisher: Publisher, frames: Sequence[Sequence[AnyEvent]]) -> None:
    at_once = 4 if len(frames[0]) > 1 else len(frames)
    for start in range(0, len(frames), at_once):
        await asyncio.gather(
            *(
                publisher.publish(
                    encode_frame(Frame(new_frame_id(), "bench", events)),
                    exchange="",
                    routing_key=LEDGER,
                )
                for events in frames[start : start + at_once]
            ),
        )


async def replay(url: str, publisher: Publisher) -> dict[str, float]:
    """Replay as a gateway does at its start; return seconds, events, and this process's MiB before and after."""
    state, events = LedgerState(lambda _: 2.0), 0

    def apply(frame: Frame) -> None:
        nonlocal events
        for event in frame.events:
            state.apply(event)
        events += len(frame.events)

    link = Link(url, "bench replay")
    async with supervised(link):
        await link.wait_up()
        reader = LedgerReader(
            url=url,
            link=link,
            writer=LedgerWriter(publisher, "bench"),
            apply=apply,
            window=DAY_SECONDS,
        )
        before, began = _mebibytes(), time.monotonic()
        reading = asyncio.create_task(reader.run())
        await reader.wait_up_to_date(REPLAY_SECONDS)
        seconds = time.monotonic() - began
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    return {"seconds": seconds, "events": events, "mebibytes_before": before, "mebibytes": _mebibytes()}


@asynccontextmanager
async def _publishing(url: str) -> AsyncIterator[Publisher]:
    link = Link(url, "bench ledger")
    async with supervised(link):
        await link.wait_up()
        yield Publisher(link)


def _mebibytes() -> float:
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - no file that a Path would help with
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024**2


async def main(arguments: Sequence[str]) -> None:
    """Do what the command line says; a replay prints its figures as JSON."""
    url = os.environ["XQUEUE_AMQP_URL"]
    async with _publishing(url) as publisher:
        if arguments[0] == "fill":
            await fill(publisher, arguments[1], int(arguments[2]))
        else:
            print(json.dumps(await replay(url, publisher)))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1:]))
