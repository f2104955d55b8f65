"""A program of the bench: fills the ledger, for a gateway to replay.

`python -m bench.ledger KIND SUBMISSIONS`; the broker is XQUEUE_AMQP_URL. Kinds: `busy` (a whole day's events in full
frames), `quiet` (the same, but each event alone in its frame), `backlog` (submitted, and never leased).
"""

import os
import secrets
import sys
import time
from collections.abc import Iterable, Iterator, Sequence

import uvloop

from bench.filling import publish_all
from bench.payload import QUEUE
from broker_setup.amqp.messages import Message
from broker_setup.ledger.events import AnyEvent, Delivered, Graded, Leased, Submitted, hash_sender
from broker_setup.ledger.frames import Frame, encode_frame, new_frame_id
from broker_setup.ledger.writer import MAX_EVENTS
from broker_setup.topology import LEDGER

# As long as the sealed header of a real LMS.
SEALED = "x" * 500
SEALED_URL = bytes(150)

SUBMITTED, GRADED = "submitted", "graded"


def life_of(submission: bytes, up_to: str) -> list[AnyEvent]:
    """Make the events of one submission, up to its delivery or only its submit."""
    now, url, key = time.time(), secrets.token_bytes(12), secrets.token_bytes(16)
    sender = hash_sender("lms", url)
    submitted = Submitted(now, submission, QUEUE, b"", 2.0, url, sender, anybodys=True, sealed_url=SEALED_URL)
    if up_to == SUBMITTED:
        return [submitted]
    return [
        submitted,
        Leased(now, submission, QUEUE, url, key, now + 60, SEALED, 1, after=b"", grader="grader"),
        Graded(now, submission, QUEUE, url, key, key),
        Delivered(now, submission, 1),
    ]


def frames_of(submissions: Iterable[bytes], up_to: str, *, alone: bool) -> Iterator[Message]:
    """Make the frames of these submissions' events: full ones, or one for each event alone."""
    batch: list[AnyEvent] = []
    for submission in submissions:
        events = life_of(submission, up_to)
        if alone:
            yield from (_frame([event]) for event in events)
            continue
        batch += events
        if len(batch) + 4 > MAX_EVENTS:
            yield _frame(batch)
            batch = []
    if batch:
        yield _frame(batch)


def _frame(events: Sequence[AnyEvent]) -> Message:
    return encode_frame(Frame(new_frame_id(), "bench", events))


async def record(url: str, submissions: Iterable[bytes], up_to: str, *, alone: bool = False) -> None:
    """Write the events of these submissions to the ledger of the broker at `url`."""
    await publish_all(url, frames_of(submissions, up_to, alone=alone), exchange="", routing_key=LEDGER)


def main() -> None:
    """Do what the command line says; prints nothing."""
    kind, number = sys.argv[1:]
    submissions = (secrets.token_bytes(16) for _ in range(int(number)))
    up_to = SUBMITTED if kind == "backlog" else GRADED
    uvloop.run(record(os.environ["XQUEUE_AMQP_URL"], submissions, up_to, alone=kind == "quiet"))


if __name__ == "__main__":
    main()
