"""Counting for many callers at once: few calls, no stale answers, errors for all."""

import asyncio
import gc
import random
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest

from broker_setup.errors import BrokerUnavailableError
from broker_setup.ledger.state import LedgerState
from gateway.leasing import waiting_count as module
from gateway.leasing.waiting_count import Coalesced, WaitingCount
from tests.support.ledger_events import submitted, superseded


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


class FakeBroker:
    """A link and its channel in one: says what it is told, or nothing at all."""

    def __init__(self, ready: int = 0) -> None:
        self.ready = ready
        self.silent = False
        self.is_closed = False
        self.opened = 0
        self.asked = 0

    async def channel(self) -> "FakeBroker":
        self.opened += 1
        self.is_closed = False
        return self

    async def declare_queue(self, name: str, *, passive: bool) -> Any:
        self.asked += 1
        if self.silent:
            await asyncio.sleep(3600)
        return SimpleNamespace(declaration_result=SimpleNamespace(message_count=self.ready))


def counts(broker: FakeBroker, waiting_here: int = 0, state: LedgerState | None = None) -> WaitingCount:
    link: Any = broker
    queues: Any = {"openedx": SimpleNamespace(waiting_here=waiting_here)}
    return WaitingCount(link, queues, state or LedgerState(lambda queue: 2.0))


async def test_what_waits_in_the_broker_and_here_is_counted_over_one_channel() -> None:
    broker = FakeBroker(ready=5)
    mine = counts(broker, waiting_here=2)
    assert [await mine.of("openedx") for _ in range(3)] == [7, 7, 7]
    assert broker.opened == 1
    broker.is_closed = True
    assert await mine.of("openedx") == 7
    assert broker.opened == 2


async def test_what_was_superseded_and_is_still_in_the_broker_does_not_count() -> None:
    state = LedgerState(lambda queue: 2.0)
    mine = counts(FakeBroker(ready=3), state=state)
    for number in (1, 2, 3):
        state.apply(submitted(number, number * 5))
    assert await mine.of("openedx") == 1
    state.apply(superseded(1, 20, by=2))
    assert await mine.of("openedx") == 2


async def test_it_never_counts_below_zero_while_broker_and_ledger_are_out_of_step() -> None:
    state = LedgerState(lambda queue: 2.0)
    for number in (1, 2):
        state.apply(submitted(number, number * 5))
    assert await counts(FakeBroker(ready=0), state=state).of("openedx") == 0


async def test_nobody_waits_longer_for_a_silent_broker_than_he_would_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = FakeBroker()
    broker.silent = True
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.3)
    mine = counts(broker)

    async def ask(after: float) -> float:
        await asyncio.sleep(after)
        start = monotonic()
        with pytest.raises(BrokerUnavailableError):
            await mine.of("openedx", within=0.3)
        return monotonic() - start

    async def longest() -> float:
        return max(await asyncio.gather(*(ask(number * 0.05) for number in range(6))))

    # A machine that stands still for a moment makes one try slow; waiting for two answers makes each of them.
    assert min([await longest() for _ in range(3)]) < 0.5
    broker.silent = False
    assert await mine.of("openedx") == 0


# What a submit is told.
