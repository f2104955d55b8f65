"""What an AMQP grader may write beside its result - how long it lasts, how soon it goes - loses no result."""

import asyncio
from uuid import uuid4

from broker_setup.amqp.messages import Message
from broker_setup.settings import Settings
from broker_setup.topology import RESULTS_PARKED
from broker_setup.wire.parked import Kind, read_parked
from broker_setup.wire.results import Result, encode_result
from broker_setup.wire.return_address import ReturnAddress
from tests.support.lms import FakeLMS
from tests.support.relay import REPLY, Results, running_relay

SHORT = "50"


def short_lived(results: Results, lms: FakeLMS) -> Message:
    uuid = uuid4().hex
    message = encode_result(Result(uuid, REPLY, results.sealer.seal(ReturnAddress(uuid, lms.header()))))
    message.expiration, message.priority = SHORT, 9
    return message


async def test_a_result_that_expires_while_it_waits_is_parked_by_the_broker_and_stays_there(
    results: Results, lms: FakeLMS
) -> None:
    sent = short_lived(results, lms)
    await results.put_message(sent)
    async with asyncio.timeout(60):
        while not await results.waiting(RESULTS_PARKED):
            await asyncio.sleep(0.05)
    parked = await results.parked()
    assert (parked.body, parked.correlation_id, parked.expiration) == (REPLY, sent.correlation_id, None)
    assert read_parked(parked, Kind.RESULT).reason == "dead-lettered: expired from xqueue.results"


async def test_a_parked_copy_of_one_that_would_expire_does_not(
    settings: Settings, results: Results, lms: FakeLMS
) -> None:
    async with running_relay(settings):
        await results.put_message(Message(b"no result", expiration="60000", priority=9))
        parked = await results.parked()
    assert (parked.body, parked.expiration, parked.priority or 0) == (b"no result", None, 0)
