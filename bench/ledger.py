"""A program of the bench: fills the ledger, for a gateway to replay.

`python -m bench.ledger KIND SUBMISSIONS`; the broker is XQUEUE_AMQP_URL. Kinds: `busy` (a whole day's events in full
frames), `quiet` (the same, but each event alone in its frame), `backlog` (submitted, and never leased).
"""

import asyncio
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

import uvloop

from bench.payload import QUEUE
from broker_setup.ledger.events import AnyEvent, Delivered, Graded, Leased, Submitted, hash_sender
from broker_setup.ledger.frames import Frame, encode_frame, new_frame_id
from broker_setup.ledger.writer import MAX_EVENTS
from broker_setup.link.connection import Link, supervised
from broker_setup.link.publisher import Publisher
from broker_setup.topology import LEDGER

# As long as the sealed header of a real LMS.
SEALED = "x" * 500
QUIET_IN_FLIGHT = 500

SUBMITTED, GRADED = "submitted", "graded"


def life_of(submission: bytes, up_to: str) -> list[AnyEvent]:
    """Make the events of one submission, up to its delivery or only its submit."""
    now, url, key = time.time(), secrets.token_bytes(12), secrets.token_bytes(16)
    submitted = Submitted(
        now, submission, QUEUE, supersede_after=2.0, url=url, sender=hash_sender("lms", url), anybodys=True
    )
    if up_to == SUBMITTED:
        return [submitted]
    return [
        submitted,
        Leased(now, submission, QUEUE, url, key, now + 60, SEALED, 1),
        Graded(now, submission, QUEUE, url, key, key),
        Delivered(now, submission, 1),
    ]


async def fill(publisher: Publisher, submissions: Iterable[bytes], up_to: str, *, alone: bool) -> None:
    """Write the events of these submissions, in full frames or each event alone."""
    frames: list[Sequence[AnyEvent]] = []
    batch: list[AnyEvent] = []
    for submission in submissions:
        events = life_of(submission, up_to)
        if alone:
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
                # Waits for its confirm as long as it takes: the broker has much to do.
                publisher.publish_copy(
                    encode_frame(Frame(new_frame_id(), "bench", events)),
                    exchange="",
                    routing_key=LEDGER,
                )
                for events in frames[start : start + at_once]
            ),
        )


@asynccontextmanager
async def _publishing(url: str) -> AsyncIterator[Publisher]:
    link = Link(url, "bench ledger")
    async with supervised(link):
        await link.wait_up()
        yield Publisher(link)


async def record(url: str, submissions: Iterable[bytes], up_to: str, *, alone: bool = False) -> None:
    """Write the events of these submissions to the ledger of the broker at `url`."""
    async with _publishing(url) as publisher:
        await fill(publisher, submissions, up_to, alone=alone)


def main() -> None:
    """Do what the command line says; prints nothing."""
    kind, number = sys.argv[1:]
    submissions = (secrets.token_bytes(16) for _ in range(int(number)))
    up_to = SUBMITTED if kind == "backlog" else GRADED
    uvloop.run(record(os.environ["XQUEUE_AMQP_URL"], submissions, up_to, alone=kind == "quiet"))


if __name__ == "__main__":
    main()
