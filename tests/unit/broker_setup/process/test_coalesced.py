"""One call for many who ask at once: no stale answers, errors for all, and nobody's hanging up cancels it."""

import asyncio
import gc
import random
from typing import Any

import pytest

from broker_setup.errors import BrokerUnavailableError
from broker_setup.process.coalesced import Coalesced


class Counter:
    """A slow call that answers with the moment at which it began."""

    def __init__(self) -> None:
        self.began = 0
        self.now = 0
        self.gate = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.began += 1
        began = self.now
        await self.gate.wait()
        if self.error:
            raise self.error
        return began


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_many_who_ask_at_once_make_one_call() -> None:
    counter = Counter()
    count = Coalesced(counter)
    asked = [asyncio.create_task(count()) for _ in range(100)]
    await settle()
    counter.gate.set()
    assert await asyncio.gather(*asked) == [0] * 100
    assert counter.began == 1


async def test_who_asks_during_a_call_shares_the_next_one_and_gets_no_older_answer() -> None:
    counter = Counter()
    count = Coalesced(counter)
    first = asyncio.create_task(count())
    await settle()
    counter.now = 1
    later = [asyncio.create_task(count()) for _ in range(100)]
    await settle()
    assert counter.began == 1
    counter.gate.set()
    assert await first == 0
    assert await asyncio.gather(*later) == [1] * 100
    assert counter.began == 2


async def test_an_error_reaches_all_who_asked_and_the_next_call_is_good() -> None:
    counter = Counter()
    counter.error = BrokerUnavailableError("away")
    counter.gate.set()
    count = Coalesced(counter)
    answers = await asyncio.gather(*(count() for _ in range(10)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [BrokerUnavailableError] * 10
    counter.error = None
    assert await count() == 0


async def test_who_hangs_up_cancels_nobodys_call() -> None:
    counter = Counter()
    count = Coalesced(counter)
    impatient, patient = asyncio.create_task(count()), asyncio.create_task(count())
    await settle()
    impatient.cancel()
    await settle()
    counter.gate.set()
    assert await patient == 0
    assert impatient.cancelled()
    assert counter.began == 1


async def test_an_error_that_nobody_waits_for_any_more_is_no_news_to_the_log() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
    counter = Counter()
    counter.error = BrokerUnavailableError("away")
    count = Coalesced(counter)
    impatient = asyncio.create_task(count())
    await settle()
    impatient.cancel()
    await settle()
    counter.gate.set()
    await settle()
    del impatient, count, counter
    gc.collect()
    await settle()
    assert told == []


@pytest.mark.parametrize("seed", range(5))
async def test_no_answer_is_older_than_its_question_whoever_asks_when(seed: int) -> None:
    dice = random.Random(seed)
    moments = 0

    async def call() -> int:
        began = moments
        await asyncio.sleep(dice.random() * 0.002)
        return began

    count = Coalesced(call)

    async def ask() -> None:
        asked = moments
        assert await count() >= asked

    questions = []
    for _ in range(200):
        moments += 1
        questions.append(asyncio.create_task(ask()))
        await asyncio.sleep(dice.choice([0, 0, 0.0005]))
    await asyncio.gather(*questions)
