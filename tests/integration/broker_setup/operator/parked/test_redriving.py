"""Redriving while what is redriven fails again."""

import asyncio
from datetime import UTC, datetime

from msgspec.structs import replace

from broker_setup.ledger.events import Parked, hash_url
from broker_setup.operator.parked.redriving import ParkedMessages
from broker_setup.operator.parked.selection import Selection, Tally
from broker_setup.settings import Settings
from broker_setup.topology import SUBMISSIONS_PARKED, submissions_queue
from broker_setup.wire.parked import Kind
from broker_setup.wire.properties import REDRIVEN_HEADER
from broker_setup.wire.submissions import Submission
from tests.support.broker import VHost
from tests.support.ledger import write_frames
from tests.support.operator import SECRET, submission, take_all
from tests.support.parking import AT, parked_submission, put

URL = "https://lms.example/1"


def parked(each: Submission) -> Parked:
    return Parked(AT, each.uuid_bytes, each.queue, hash_url(URL), "too many failures", each.redriven)


async def test_what_was_parked_again_meanwhile_is_not_taken_for_a_second_copy(declared: VHost) -> None:
    first = submission(datetime.fromtimestamp(AT, UTC), URL)
    again = replace(first, redriven=1)
    await asyncio.to_thread(write_frames, declared.amqp_url, [[parked(first)]])
    await put(declared.amqp_url, SUBMISSIONS_PARKED, [parked_submission(first), parked_submission(again)])
    failed: list[Parked] = []

    def fail(tally: Tally) -> None:
        # Between the portions: the first copy has gone out, and what stands behind it is what became of it.
        if tally.done == 1 and not failed:
            failed.append(parked(again))
            write_frames(declared.amqp_url, [failed])

    settings = Settings(amqp_url=declared.amqp_url, secret_key=SECRET, xqueues={"openedx": None})
    messages = ParkedMessages(settings, [Kind.SUBMISSION], Selection(), progress=fail)
    await messages.redrive(rate=10, by="ned")  # portions of one
    assert failed
    assert (messages.tally.done, messages.tally.cleared) == (2, 0)
    sent = await asyncio.to_thread(take_all, declared.amqp_url, submissions_queue("openedx"))
    assert [(uuid, headers[REDRIVEN_HEADER]) for uuid, _, headers in sent] == [(first.uuid, 1), (first.uuid, 2)]
    assert await asyncio.to_thread(take_all, declared.amqp_url, SUBMISSIONS_PARKED) == []
