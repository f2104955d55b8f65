"""How `make bench` takes the time of jobs."""

import asyncio
import time

from bench.pace import Pace, paced


def test_a_pace_goes_from_a_program_to_the_bench_as_a_line() -> None:
    pace = Pace(1.5, 2.5, 3.5, 4.5)
    assert Pace.from_json(pace.as_json()) == pace


def test_each_job_is_done_once_by_whoever_is_free() -> None:
    done: list[int] = []

    async def work(number: int) -> None:
        done.append(number)
        await asyncio.sleep(0)

    asyncio.run(paced([work, work, work], count=10, first=100))
    assert sorted(done) == list(range(100, 110))


def test_a_job_that_says_what_counts_of_it_is_taken_at_its_word() -> None:
    async def work(number: int) -> float:
        return number / 1000

    pace = asyncio.run(paced([work], count=100))
    assert (pace.p50, pace.p99) == (50.0, 99.0)


def test_cpu_time_is_that_of_each_job_and_not_of_waiting() -> None:
    async def works(_: int) -> None:
        until = time.process_time() + 0.02
        while time.process_time() < until:
            pass

    async def waits(_: int) -> None:
        await asyncio.sleep(0.05)

    assert asyncio.run(paced([works], count=3)).cpu >= 20_000
    assert asyncio.run(paced([waits], count=3)).cpu < 20_000
