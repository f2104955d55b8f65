"""What was counted and does not come at once is waited for, and what does not come is said."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import pytest

from broker_setup.link.connection import Link, supervised
from broker_setup.operator import intake as operating_intake
from broker_setup.operator.intake import IDLE_SECONDS, Intake
from broker_setup.operator.parked.runs import Run, look
from broker_setup.operator.parked.selection import Selection
from broker_setup.operator.parked.walk import Met
from broker_setup.operator.portions import FIRST_TURN
from broker_setup.operator.retire.plan import Plan, Tally
from broker_setup.operator.retire.retiring import Retirement
from broker_setup.settings import Settings
from broker_setup.topology import RESULTS_PARKED, submissions_queue
from broker_setup.wire.parked import Kind
from tests.support.broker import VHost
from tests.support.ledger import pika_channel
from tests.support.operator import SECRET, submission, submit
from tests.support.parking import NOON, park_results, parked_result, result_for
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from broker_setup.amqp.messages import Arrival

BEHIND = 5


@contextmanager
def held_by_another(amqp_url: str, queue: str) -> Iterator[list[int]]:
    """Hold what is ready in a queue."""
    with pika_channel(amqp_url) as channel:
        tags = []
        while (method := channel.basic_get(queue)[0]) is not None:
            tags.append(method.delivery_tag)
        yield tags


@asynccontextmanager
async def opened(amqp_url: str) -> AsyncIterator[Link]:
    link = Link(amqp_url, "intake")
    async with supervised(link):
        await link.wait_up()
        yield link


async def test_what_was_counted_is_waited_for_while_somebody_holds_it_for_a_moment(declared: VHost) -> None:
    await asyncio.to_thread(park_results, declared.amqp_url, *(parked_result(result_for("https://lms")) for _ in "abc"))
    async with opened(declared.amqp_url) as link:
        intake = Intake(await link.channel())
        assert await intake.open(RESULTS_PARKED) == 3
        with held_by_another(declared.amqp_url, RESULTS_PARKED) as held:
            taking = asyncio.create_task(intake.take(3))
            # As long as a queue has without the count to give nothing, and more.
            assert not (await asyncio.wait({taking}, timeout=3 * IDLE_SECONDS))[0]
            assert len(held) == 3
        assert len(await taking) == 3
        assert intake.left == 0
        await intake.put_back()


async def test_what_others_take_as_it_is_put_back_is_not_waited_for_again_and_again(
    declared: VHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operating_intake, "RETURN_SECONDS", 2.0)
    await submit(declared.amqp_url, [submission(NOON, f"https://lms/{each}") for each in range(900)])
    async with opened(declared.amqp_url) as link:
        intake = Intake(await link.channel())
        await intake.open(submissions_queue("openedx"))
        assert len(await intake.take(900)) == 900
        other = await link.channel(prefetch=900)
        taken: list[Arrival] = []
        await other.consume(submissions_queue("openedx"), taken.append)
        # Seven waits, of which one is in vain.
        async with asyncio.timeout(7 * 2.0):
            await intake.put_back()
        await eventually(lambda: len(taken) == 900)


def test_what_was_counted_and_did_not_come_is_said(
    declared: VHost, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(operating_intake, "STALL_SECONDS", 0.5)
    results = [parked_result(result_for("https://lms")) for _ in range(FIRST_TURN + BEHIND)]
    park_results(declared.amqp_url, *results)
    settings = Settings(amqp_url=declared.amqp_url, secret_key=SECRET)
    with pika_channel(declared.amqp_url) as channel:

        def take_the_rest(_: Met) -> None:
            while channel.basic_get(RESULTS_PARKED)[0] is not None:
                pass

        tally = look(Run(settings, [Kind.RESULT], Selection()), take_the_rest)
    assert (tally.ready, tally.seen, tally.missed) == (len(results), FIRST_TURN, BEHIND)
    assert f"{BEHIND} that the broker counted did not come" in capsys.readouterr().err


async def test_what_retiring_counted_and_did_not_meet_is_counted(
    declared: VHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operating_intake, "STALL_SECONDS", 0.5)
    settings = Settings(amqp_url=declared.amqp_url, secret_key=SECRET, xqueues={"openedx": None})
    with pika_channel(declared.amqp_url) as channel:
        for _ in range(8):
            channel.basic_publish("", submissions_queue("openedx"), b"no submission, and stays")

        def take_the_rest(_: Tally) -> None:
            while channel.basic_get(submissions_queue("openedx"))[0] is not None:
                pass

        plan, tally = Plan("openedx", NOON, "because", "ned", None), Tally()
        running = asyncio.create_task(Retirement(settings, plan, take_the_rest, prefetch=3).retire(tally))
        # Until it looks once more, after BUFFER_SECONDS.
        await eventually(lambda: tally.missed == 5)
        assert (tally.ready, tally.unreadable) == (8, 3)
        await running
