"""One LMS's sickness is no other's: shown by what comes before what, and by processor time, so anything may run beside.

How long an LMS that is well waits, by a clock that jumps, is in tests/unit/simulation; by the real one in
test_callbacks.py, where nothing else runs.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.support.broker import VHost
from tests.support.lms import Answer, FakeLMS, running_lms, several_lms
from tests.support.relay import Results, relay_process, results_at, settings_for
from tests.support.service_process import ServiceProcess
from tests.support.waiting import PATIENCE_SECONDS, eventually

QUICK_SECONDS = 0.05
RATE = 200  # results a second that one processor is to be enough for


async def put(results: Results, origins: Sequence[FakeLMS], count: int, mark: str) -> None:
    """Put so many results, to each LMS in turn."""
    await results.put_many([origins[number % len(origins)].header(f"{mark} {number}") for number in range(count)])


@pytest.mark.parametrize("sickness", ["gives no answer", "refuses connections"])
async def test_a_sick_lms_holds_up_no_result_for_another(vhost: VHost, tmp_path: Path, sickness: str) -> None:
    settings = settings_for(vhost.amqp_url, requests_timeout=2 * PATIENCE_SECONDS, retry_delays=(1, 2))
    enough = 2 * settings.callback_concurrency
    async with results_at(settings) as results, running_lms() as well, running_lms() as sick:
        well.always(Answer(delay=QUICK_SECONDS))
        if sickness == "refuses connections":
            await sick.stop()
        else:
            sick.goes_on.clear()
        async with relay_process(settings, tmp_path / "relay.log") as relay:
            await put(results, [well], 10, "warm up")
            await well.wait_accepted(10)
            # More than the relay has room for, and all of it before the first for the one that is well.
            await put(results, [sick], enough, "sick")
            if sickness == "gives no answer":
                await sick.wait_received(settings.callback_concurrency_per_origin)
            await put(results, [well], enough, "well")
            await well.wait_accepted(10 + enough, within=3 * PATIENCE_SECONDS)
            # Until here it has answered nothing.
            assert sick.accepted == []
            assert sick.most_under_way <= settings.callback_concurrency_per_origin
            assert len(well.received) == 10 + enough
            if sickness == "refuses connections":
                await sick.start()
            sick.goes_on.set()
            await eventually(lambda: len({each.lms_key for each in sick.accepted}) == enough, 3 * PATIENCE_SECONDS)
            assert "Traceback" not in relay.log


def processor_seconds(relay: ServiceProcess) -> float:
    took = psutil.Process(relay.pid).cpu_times()
    return took.user + took.system


async def test_with_a_third_of_the_lms_down_one_processor_is_enough_for_two_hundred_callbacks_a_second(
    vhost: VHost, tmp_path: Path
) -> None:
    settings = settings_for(vhost.amqp_url, requests_timeout=2 * PATIENCE_SECONDS, retry_delays=(1, 2))
    count = 3 * RATE
    async with results_at(settings) as results, several_lms(6) as origins:
        refusing, hanging, *well = origins
        hanging.goes_on.clear()
        for lms in well:
            lms.always(Answer(delay=QUICK_SECONDS))
        await refusing.stop()
        least = float("inf")
        async with relay_process(settings, tmp_path / "relay.log") as relay:
            await put(results, well, 10, "warm up")
            await eventually(partial(have_accepted, well, 10))
            # Whatever else the machine does makes processor time longer, too: several turns, and the best of them.
            for turn in range(1, 6):
                before = processor_seconds(relay)
                await put(results, origins, count, f"turn {turn}")
                expected = 10 + turn * count * len(well) // len(origins)
                await eventually(partial(have_accepted, well, expected))
                assert await eventually(lambda: is_empty(results))
                least = min(least, (processor_seconds(relay) - before) / count)
                if least < 1 / RATE:
                    break
            assert hanging.accepted == []
            assert "Traceback" not in relay.log
    print(f"{least * 1000:.2f} ms of processor time for each result")
    assert least < 1 / RATE


def have_accepted(several: Sequence[FakeLMS], count: int) -> bool:
    return sum(len(lms.accepted) for lms in several) == count


async def is_empty(results: Results) -> bool:
    """Whether nothing waits for the relay: what it can't deliver must not stay there."""
    return await results.waiting() == 0
