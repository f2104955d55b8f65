"""What AMQP graders send takes so much of a relay's memory, and all of it is delivered."""

import json

from broker_setup.settings import Settings
from callback_relay.bodies import MOST_BYTES
from tests.support.lms import FakeLMS
from tests.support.relay import Results, running_relay, settings_for
from tests.support.waiting import eventually

NUMBER = 40
LARGE = json.dumps({"correct": True, "score": 1, "msg": "x" * 1024 * 1024}).encode()
SMALL = json.dumps({"correct": True, "score": 1, "msg": "x" * 1024}).encode()


async def test_many_large_results_over_amqp_are_never_all_in_memory_and_small_ones_do_not_wait_for_them(
    settings: Settings, results: Results, lms: FakeLMS
) -> None:
    lms.goes_on.clear()
    for number in range(NUMBER):
        await results.put(lms.header(f"large {number}"), LARGE)
    amqp_url = settings.amqp_url.get_secret_value()
    async with running_relay(
        settings_for(amqp_url, requests_timeout=300, callback_concurrency_per_origin=200)
    ) as relay:
        await lms.wait_received(MOST_BYTES // len(LARGE))
        for number in range(NUMBER):
            await results.put(lms.header(f"small {number}"), SMALL)

        def posted_small() -> int:
            return sum(len(callback.body) < len(LARGE) for callback in lms.received)

        await eventually(lambda: posted_small() == NUMBER)
        assert await results.waiting() == 0
        at_hand = [place.message for place in relay._schedule._lines._places]
        assert sum(len(message.body) for message in at_hand if len(message.body) >= len(LARGE)) <= MOST_BYTES
        lms.goes_on.set()
        await lms.wait_accepted(2 * NUMBER)
    assert len({callback.path for callback in lms.received}) == len(lms.received) == 2 * NUMBER
