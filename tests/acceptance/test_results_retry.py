"""Results that wait on a rung are called in: each callback once, however the command ends."""

import asyncio
import signal
import time
from collections import Counter

import pika

from broker_setup.topology import CHECKED_QUEUE, RESULTS_PARKED, retry_queue
from broker_setup.wire.results import Result, Tries, encode_result
from broker_setup.wire.return_address import ReturnAddress, Sealer
from broker_setup.wire.waits import waits_headers
from tests.support.broker import VHost
from tests.support.ledger import pika_channel
from tests.support.lms import FakeLMS, running_lms
from tests.support.operator import begun
from tests.support.queues import ready
from tests.support.relay import REPLY, SECRET, results_at, running_relay, settings_for
from tests.support.service_process import ServiceProcess
from tests.support.waiting import eventually

WAITING = 400
RUNG = 3600.0


def put_on_rung(amqp_url: str, lms: FakeLMS) -> None:
    """Have results wait that were tried twice, each of a URL of its own."""
    sealer = Sealer([SECRET])
    with pika_channel(amqp_url) as channel:
        for number in range(WAITING):
            uuid, header = f"{number:032x}", lms.header(f"key-{number}", path=f"/xqueue/{number}/score_update")
            tries = Tries(made=2, waits=2, since=int(time.time()))
            message = encode_result(Result(uuid, REPLY, sealer.seal(ReturnAddress(uuid, header)), tries))
            headers = message.headers | waits_headers(lms.origin, "openedx", "answered 502", time.time() + RUNG)
            properties = pika.BasicProperties(correlation_id=uuid, headers=headers, delivery_mode=2)
            channel.basic_publish("", retry_queue(RUNG), message.body, properties, mandatory=True)


async def retry(amqp_url: str, rate: int) -> ServiceProcess:
    settings = {"AMQP_URL": amqp_url, "SECRET_KEY": SECRET, "RETRY_DELAYS": str([0.1, RUNG])}
    return await begun("results", "retry", "--all", "--yes", "--rate", str(rate), **settings)


async def test_results_called_in_by_a_command_that_is_killed_half_way_and_run_again_are_posted_once_each(
    vhost: VHost,
) -> None:
    settings = settings_for(vhost.amqp_url, retry_delays=(0.1, RUNG))
    rung = retry_queue(RUNG)
    async with running_lms() as lms, results_at(settings), running_relay(settings):
        await asyncio.to_thread(put_on_rung, vhost.amqp_url, lms)
        # All of them would take it 16 s: when the LMS has the first of them, it is far from its end.
        first = await retry(vhost.amqp_url, 25)
        await lms.wait_accepted(25, within=60)
        await first.kill()
        assert await first.ended() == -signal.SIGKILL
        left = await eventually(lambda: ready(vhost.amqp_url, rung))
        assert 0 < left < WAITING

        async def nothing_left_by_running_it_again() -> bool:
            # What the killed one had at hand comes back when the broker has noticed.
            if await ready(vhost.amqp_url, rung):
                again = await retry(vhost.amqp_url, 10_000)
                assert await again.ended() == 0
                return False
            return len({each.lms_key for each in lms.accepted}) == WAITING

        await eventually(nothing_left_by_running_it_again, 60)

        async def relay_has_taken_all() -> bool:
            return not await ready(vhost.amqp_url, CHECKED_QUEUE)

        await eventually(relay_has_taken_all)
    counts = Counter(each.lms_key for each in lms.received)
    assert set(counts) == {f"key-{number}" for number in range(WAITING)}
    assert set(counts.values()) == {1}  # what was there twice, the relay posted once
    assert await ready(vhost.amqp_url, RESULTS_PARKED) == 0
