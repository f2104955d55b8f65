"""Callbacks under outages, kills and sick LMSs: every result arrives, and nobody suffers for another.

What sick LMSs do to others is shown without a clock in test_sick_lms.py, and by one that jumps in the simulation. The
two tests that measure it by the real one need a machine to themselves: they run where SECONDS says for how long the
steady load is to last, as in `SECONDS=60 pytest -n 0 -m alone tests/acceptance`.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from time import monotonic

import pytest

from broker_setup.settings import Settings
from broker_setup.topology import RESULTS_PARKED
from tests.acceptance.conftest import running_stack
from tests.support.broker import VHost
from tests.support.fleet import fleet
from tests.support.lms import Answer, FakeLMS, running_lms, several_lms
from tests.support.relay import Results, relay_process, results_at, settings_for

SECONDS = float(os.environ.get("SECONDS", "9"))
measures_times = pytest.mark.skipif("SECONDS" not in os.environ, reason="measures times: SECONDS=9, on an idle machine")

# The default ladder and an outage of three hours, 2,500 times as fast; a rung has 10 ms at least.
SCALED_RUNGS = (0.01, 0.05, 0.24, 1.44, 4.32)
THREE_HOURS = 4.32

MANY = 600
# Each is tried five times meanwhile.
AWAY_FROM = 300
QUICK_SECONDS = 0.05
RATE = 200  # results a second


@pytest.mark.timeout(300)
async def test_an_lms_that_is_away_for_three_simulated_hours_gets_every_result_once(
    vhost: VHost, tmp_path: Path
) -> None:
    async with running_stack(vhost.amqp_url, tmp_path, retry_delays=SCALED_RUNGS) as stack:
        headers = stack.headers(AWAY_FROM)
        await stack.lms.stop()
        async with stack.relay() as relay, fleet(stack.gateway.url) as clients:
            accepted = await clients.submit_all(headers)
            await clients.grade_until(lambda: clients.taken.total() == AWAY_FROM)
            await asyncio.sleep(THREE_HOURS)  # not a hope: the outage itself
            assert stack.lms.received == []
            await stack.lms.start()
            await stack.lms.wait_accepted(AWAY_FROM, within=60)
            await results_rest(stack.amqp_url)
            assert "Traceback" not in relay.log
        assert Counter(callback.xqueue_header.decode() for callback in stack.lms.accepted) == Counter(accepted)
        assert len(accepted) == AWAY_FROM
        assert set(clients.handed_out.values()) == {1}


async def results_rest(amqp_url: str) -> None:
    settings = Settings(amqp_url=amqp_url, retry_delays=SCALED_RUNGS)
    async with results_at(settings) as results:
        await results.rest(settings)
        assert await results.waiting(RESULTS_PARKED) == 0


@pytest.mark.timeout(300)
async def test_a_relay_killed_ten_times_delivers_all_and_repeats_what_was_in_flight(
    vhost: VHost, tmp_path: Path
) -> None:
    chance = random.Random(4)
    # What the broker has no ack of when a relay dies is at most what that had at hand: acks under way die with it.
    settings = settings_for(vhost.amqp_url, callback_concurrency=16, callback_concurrency_per_origin=8)
    async with results_at(settings) as results, running_lms() as lms:
        # Slow enough that there is always something in flight, and some fail, so that there is something on the rungs.
        lms.answer = lambda _: Answer(503 if chance.random() < 0.1 else 200, delay=0.02)
        await results.put_many([lms.header(str(number)) for number in range(MANY)])
        for _ in range(10):
            before = len(lms.received)
            async with relay_process(settings, tmp_path / "relay.log") as relay:
                await lms.wait_received(before + chance.randrange(1, 35), within=60)
                await asyncio.sleep(chance.random() / 20)
                await relay.kill()
        async with relay_process(settings, tmp_path / "relay.log") as relay:
            async with asyncio.timeout(60):
                while len({callback.lms_key for callback in lms.accepted}) < MANY:
                    await asyncio.sleep(0.05)
            await results.rest(settings)
            assert await relay.terminate() == 0
    assert len(lms.accepted) - MANY <= 10 * settings.callback_concurrency


async def load(
    results: Results, origins: Sequence[FakeLMS], rate: float, seconds: float, mark: str
) -> dict[str, float]:
    """Put results at a steady rate, to each LMS in turn; return when each was put (monotonic), by its key."""
    put: dict[str, float] = {}
    start = monotonic()
    async with asyncio.TaskGroup() as tasks:
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, start + number / rate - monotonic()))
            key = f"{mark} {number}"
            put[key] = monotonic()
            tasks.create_task(results.put(origins[number % len(origins)].header(key)))
    return put


async def latencies(lms: FakeLMS, put: dict[str, float]) -> list[float]:
    """Wait until all that were put are in; return how long each took until the LMS had answered (seconds)."""
    async with asyncio.timeout(20):
        while not put.keys() <= {callback.lms_key for callback in lms.accepted}:
            await asyncio.sleep(0.05)
    return [callback.at + QUICK_SECONDS - put[callback.lms_key] for callback in lms.accepted if callback.lms_key in put]


def p99(values: Sequence[float]) -> float:
    return quantiles(values, n=100)[98]


# What a quick LMS's 99th percentile may be beside a sick one, as a multiple of what it is alone.
AT_MOST = 1.2


@pytest.mark.alone
@measures_times
@pytest.mark.timeout(240)
async def test_an_lms_that_is_slow_or_hangs_or_is_down_does_not_slow_another(vhost: VHost, tmp_path: Path) -> None:
    settings = settings_for(vhost.amqp_url, requests_timeout=10, retry_delays=(1, 5, 30, 120, 600))
    async with results_at(settings) as results, several_lms(4) as (quick, slow, hanging, down):
        quick.always(Answer(delay=QUICK_SECONDS))
        slow.always(Answer(delay=5))
        hanging.always(Answer(delay=60))
        await down.stop()
        sick = {"slow": slow, "hanging": hanging, "down": down}
        async with relay_process(settings, tmp_path / "relay.log"):
            await latencies(quick, await load(results, [quick], 50, 1, "warm up"))
            best: dict[str, float] = {}
            # A moment of the machine's shows in any, so there are several turns, and the best of each counts.
            for turn in range(5):
                alone = await latencies(quick, await load(results, [quick], 50, 4, f"alone {turn}"))
                best["alone"] = min(best.get("alone", 10), p99(alone))
                for name, lms in sick.items():
                    if best.get(name, 10) <= AT_MOST * best["alone"]:
                        continue
                    # It gets more than it answers: the slow one takes some 6 a second, 32 at a time.
                    hogging = asyncio.create_task(load(results, [lms], 50, 6, f"{name} {turn}"))
                    if lms is not down:
                        await lms.wait_received(32)
                    beside = await latencies(quick, await load(results, [quick], 50, 4, f"beside {name} {turn}"))
                    best[name] = min(best.get(name, 10), p99(beside))
                    await hogging
                if all(best[name] <= AT_MOST * best["alone"] for name in sick):
                    break
            assert slow.most_under_way == settings.callback_concurrency_per_origin
    print({name: f"{value * 1000:.1f} ms" for name, value in best.items()})
    for name in sick:
        assert best[name] <= AT_MOST * best["alone"], best


@pytest.mark.alone
@measures_times
@pytest.mark.timeout(240)
async def test_with_a_third_of_the_lms_down_two_hundred_callbacks_a_second_go_on(vhost: VHost, tmp_path: Path) -> None:
    settings = settings_for(vhost.amqp_url, requests_timeout=5, retry_delays=(1, 5, 30, 120))
    async with results_at(settings) as results, several_lms(6) as origins:
        refusing, hanging, *well = origins
        hanging.always(Answer(delay=60))
        for lms in well:
            lms.always(Answer(delay=QUICK_SECONDS))
        await refusing.stop()
        async with relay_process(settings, tmp_path / "relay.log") as relay:
            await latencies(well[0], await load(results, well[:1], 50, 1, "warm up"))
            waiting: list[int] = []
            loading = asyncio.create_task(load(results, origins, RATE, SECONDS, "load"))
            while not loading.done():
                await asyncio.sleep(0.5)
                waiting.append(await results.waiting())
            put = await loading
            for number, lms in enumerate(origins):
                if lms in well:
                    mine = {key: at for key, at in put.items() if int(key.split()[1]) % len(origins) == number}
                    assert p99(await latencies(lms, mine)) < 1
            assert "Traceback" not in relay.log
    print("waiting in the results queue:", waiting)
    # What waits is a moment's worth, at the end as at the beginning: it does not grow.
    assert max(waiting[len(waiting) // 2 :]) < 2 * RATE
    third = len(waiting) // 3
    assert median(waiting[-third:]) <= median(waiting[:third]) + RATE / 4
