"""A publish that returned is stored; one that did not says so, quickly."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pika
import pytest

from broker_setup.errors import BrokerUnavailableError, UnroutableError
from broker_setup.link.broker_url import user_of
from broker_setup.link.connection import Link, supervised
from broker_setup.link.publisher import Publisher
from broker_setup.topology import RESULTS_EXCHANGE, RESULTS_QUEUE
from tests.support.broker import VHost
from tests.support.proxy import proxied
from tests.support.publishing import publish, result
from tests.support.waiting import eventually


@pytest.fixture
async def link(declared: VHost) -> AsyncIterator[Link]:
    link = Link(declared.amqp_url, f"test {declared.name}")
    async with supervised(link):
        await link.wait_up()
        yield link


@pytest.fixture
def publisher(link: Link) -> Publisher:
    return Publisher(link)


async def test_what_was_published_is_stored(publisher: Publisher, count: Callable[[str], int]) -> None:
    await publish(publisher)
    assert count(RESULTS_QUEUE) == 1


@pytest.mark.usefixtures("_no_hurry")
async def test_two_thousand_at_once_are_all_stored(publisher: Publisher, count: Callable[[str], int]) -> None:
    await asyncio.gather(*(publish(publisher, str(number).encode()) for number in range(2_000)))
    assert count(RESULTS_QUEUE) == 2_000


@pytest.mark.usefixtures("_no_hurry")
async def test_a_message_of_a_megabyte_is_stored(publisher: Publisher, count: Callable[[str], int]) -> None:
    await publish(publisher, 1_000_000 * b"\xff")
    assert count(RESULTS_QUEUE) == 1


async def test_what_no_queue_takes_is_said_and_the_next_publish_works(publisher: Publisher) -> None:
    with pytest.raises(UnroutableError, match=r"'nowhere' at the exchange 'xqueue\.submissions'"):
        await publisher.publish(result(), exchange="xqueue.submissions", routing_key="nowhere")
    await publish(publisher)


@pytest.mark.usefixtures("_no_hurry")
async def test_among_many_only_the_one_that_no_queue_takes_fails(
    publisher: Publisher, count: Callable[[str], int]
) -> None:
    keys = [RESULTS_QUEUE] * 50 + ["nowhere"] + [RESULTS_QUEUE] * 50
    outcomes = await asyncio.gather(
        *(publisher.publish(result(), exchange=RESULTS_EXCHANGE, routing_key=key) for key in keys),
        return_exceptions=True,
    )
    assert [index for index, outcome in enumerate(outcomes) if outcome is not None] == [50]
    assert isinstance(outcomes[50], UnroutableError)
    assert count(RESULTS_QUEUE) == 100


async def test_the_default_exchange_leads_to_the_queue_that_the_key_names(
    publisher: Publisher, count: Callable[[str], int]
) -> None:
    await publisher.publish(result(), exchange="", routing_key=RESULTS_QUEUE)
    assert count(RESULTS_QUEUE) == 1


async def test_an_exchange_that_is_gone_is_an_error_and_the_next_publish_works(publisher: Publisher) -> None:
    with pytest.raises(BrokerUnavailableError, match=r"xqueue\.nowhere.*NOT_FOUND.*xqueue-broker declare"):
        await publisher.publish(result(), exchange="xqueue.nowhere", routing_key="x")
    await publish(publisher)


@pytest.mark.usefixtures("_no_hurry")
async def test_an_exchange_that_is_gone_takes_nothing_down_that_goes_to_another(
    publisher: Publisher, count: Callable[[str], int]
) -> None:
    outcomes = await asyncio.gather(
        *(publish(publisher) for _ in range(100)),
        publisher.publish(result(), exchange="xqueue.nowhere", routing_key="x"),
        *(publish(publisher) for _ in range(100)),
        return_exceptions=True,
    )
    assert [index for index, outcome in enumerate(outcomes) if outcome is not None] == [100]
    assert count(RESULTS_QUEUE) == 200


async def test_a_message_says_who_published_it(publisher: Publisher, declared: VHost) -> None:
    await publish(publisher)
    with pika.BlockingConnection(pika.URLParameters(declared.amqp_url)) as connection:
        _, properties, _ = connection.channel().basic_get(RESULTS_QUEUE, auto_ack=True)
    assert properties is not None
    assert properties.user_id == user_of(declared.amqp_url)


async def test_a_publisher_who_hangs_up_does_not_cancel_the_publish(
    publisher: Publisher, count: Callable[[str], int]
) -> None:
    impatient = [asyncio.create_task(publish(publisher)) for _ in range(20)]
    await asyncio.sleep(0)  # each has begun, none is confirmed
    for task in impatient:
        task.cancel()
    await asyncio.gather(*impatient, return_exceptions=True)
    await publish(publisher)
    await eventually(lambda: count(RESULTS_QUEUE) == 21)


async def test_without_a_broker_a_publish_fails_at_once() -> None:
    link = Link("amqp://guest:guest@127.0.0.1:1/", "nobody there")
    async with supervised(link):
        started = time.monotonic()
        with pytest.raises(BrokerUnavailableError):
            await publish(Publisher(link))
        assert time.monotonic() - started < 2


async def test_a_broker_that_confirms_nothing_is_said_in_time_and_then_at_once(declared: VHost) -> None:
    async with proxied(declared.amqp_url) as proxy:
        link = Link(proxy.url, "frozen")
        async with supervised(link):
            await link.wait_up()
            publisher = Publisher(link)
            await publish(publisher)
            proxy.freeze()

            started = time.monotonic()
            with pytest.raises(BrokerUnavailableError, match="did not confirm in time"):
                await publish(publisher)
            assert time.monotonic() - started < 5
            await eventually(lambda: "does not answer" in publisher.problem)

            started = time.monotonic()
            with pytest.raises(BrokerUnavailableError, match="does not answer"):
                await publish(publisher)
            assert time.monotonic() - started < 1

            proxy.thaw()
            await eventually(lambda: not publisher.problem)
            await publish(publisher)


async def test_a_connection_cut_under_publishes_tells_each_of_them_and_loses_none_that_was_confirmed(
    declared: VHost, count: Callable[[str], int]
) -> None:
    async with proxied(declared.amqp_url) as proxy:
        link = Link(proxy.url, "cut")
        async with supervised(link), asyncio.timeout(60):
            await link.wait_up()
            publisher = Publisher(link)
            outcomes: list[BaseException | None] = []
            for round_ in range(6):
                under_way = [asyncio.create_task(publish(publisher)) for _ in range(200)]
                if round_ % 2:
                    await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                    # Of those all may be confirmed by now; of these the broker can't have confirmed any.
                    under_way += [asyncio.create_task(publish(publisher)) for _ in range(50)]
                    await asyncio.sleep(0)
                    await proxy.close()
                outcomes += await asyncio.gather(*under_way, return_exceptions=True)
                if round_ % 2:
                    await eventually(lambda: not link.is_up)
                    await proxy.open()
                    await link.wait_up()
            failed = [outcome for outcome in outcomes if outcome is not None]
            assert failed
            assert all(isinstance(outcome, BrokerUnavailableError) for outcome in failed)
            confirmed = len(outcomes) - len(failed)
            # What failed may have been stored; the publisher says that it does not know.
            assert confirmed <= count(RESULTS_QUEUE) <= len(outcomes)
            await publish(publisher)


@pytest.mark.parametrize("end", ["dropped", "cut"])
async def test_what_was_under_way_on_a_lost_connection_does_not_block_the_next(declared: VHost, end: str) -> None:
    """Publishes that wait for room in a connection when it ends are woken by nobody, and counted as unconfirmed."""
    async with proxied(declared.amqp_url) as proxy:
        link = Link(proxy.url, "lost")
        async with supervised(link), asyncio.timeout(60):
            await link.wait_up()
            publisher = Publisher(link)
            await publish(publisher)
            under_way: list[asyncio.Task[None]] = []
            cutting = asyncio.create_task(proxy.close()) if end == "cut" else None
            if not cutting:
                link.drop("the test says so")
            for _ in range(50):  # more in a turn of the loop than aiormq has room for
                under_way += [asyncio.create_task(publish(publisher)) for _ in range(20)]
                await asyncio.sleep(0)
            if cutting:
                await cutting
                await proxy.open()
            outcomes = await asyncio.gather(*under_way, return_exceptions=True)
            assert all(outcome is None or isinstance(outcome, BrokerUnavailableError) for outcome in outcomes)
            assert any(outcomes)
            await eventually(lambda: not publisher._under_way)
            await link.wait_up()
            await publish(publisher)
