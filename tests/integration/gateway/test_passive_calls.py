"""Callers inside, who have work graded by AMQP RPC."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import aio_pika
import pika
import pytest

from broker_setup.amqp.messages import Message
from broker_setup.settings import Settings
from broker_setup.topology import (
    ANSWERS_EXCHANGE,
    CHECKED_QUEUE,
    RESULTS_EXCHANGE,
    RESULTS_QUEUE,
    SUBMISSIONS_PARKED,
    submissions_queue,
)
from broker_setup.wire.notices import failure_notice
from tests.support.broker import VHost
from tests.support.broker_users import Act, BrokerUsers, broker_users, refusal
from tests.support.passive import REPLY, FakeGrader, LmsSide, lms_side, running_bridge, running_grader, settings_for
from tests.support.waiting import eventually

NOTICE = failure_notice(Settings().failure_message)
WORK = json.dumps({"xqueue_body": "work"}).encode()


@pytest.fixture
async def grader() -> AsyncIterator[FakeGrader]:
    async with running_grader() as running:
        yield running


@pytest.fixture
def settings(vhost: VHost, grader: FakeGrader) -> Settings:
    return settings_for(vhost.amqp_url, {"red": grader.url})


@pytest.fixture
async def inside(settings: Settings) -> AsyncIterator[LmsSide]:
    async with lms_side(settings) as side:
        yield side


async def bound_queue(inside: LmsSide, name: str, exchange: str = ANSWERS_EXCHANGE) -> None:
    queue = await inside.channel.declare_queue(name, durable=True)
    await queue.bind(exchange, name)


def call(reply_to: str, correlation_id: str = "a call", body: bytes = WORK) -> Message:
    return Message(body, reply_to=reply_to, correlation_id=correlation_id)


async def test_a_caller_gets_the_graders_reply_whatever_it_is(
    settings: Settings, inside: LmsSide, grader: FakeGrader
) -> None:
    grader.says(b"anything")
    await bound_queue(inside, "replies")
    files = {"a": "http://files.example/a"}
    await inside.put("red", call("replies", body=json.dumps({"xqueue_body": "work", "xqueue_files": files}).encode()))
    async with running_bridge(settings):
        answer = await inside.take("replies")
    assert (answer.body, answer.correlation_id) == (b"anything", "a call")
    [asked] = grader.asked
    assert (asked["xqueue_body"], json.loads(asked["xqueue_files"])) == ("work", files)
    assert await inside.waiting(CHECKED_QUEUE) == 0
    assert await inside.waiting(submissions_queue("red")) == 0


async def test_a_caller_of_0_1_0_whose_queue_is_bound_to_the_results_exchange_gets_its_answer(
    settings: Settings, inside: LmsSide
) -> None:
    await bound_queue(inside, "replies", RESULTS_EXCHANGE)
    await inside.put("red", call("replies"))
    async with running_bridge(settings):
        assert (await inside.take("replies")).body == REPLY


async def test_a_failure_for_good_answers_with_the_notice_and_nothing_is_parked(
    settings: Settings, inside: LmsSide, grader: FakeGrader
) -> None:
    async def break_off(request: object) -> None:
        raise ConnectionResetError

    grader.answer = break_off  # type: ignore[assignment]
    await bound_queue(inside, "replies")
    await inside.put("red", call("replies", "fails"))
    await inside.put("red", call("replies", "is no JSON", b"{"))
    async with running_bridge(settings):
        answers = [await inside.take("replies") for _ in range(2)]
    assert {answer.correlation_id for answer in answers} == {"fails", "is no JSON"}
    assert {answer.body for answer in answers} == {NOTICE}
    assert len(grader.asked) == 3
    assert await inside.waiting(SUBMISSIONS_PARKED) == 0


async def test_an_unbound_reply_queue_gets_its_answer_past_the_exchange_where_rights_allow_it(
    settings: Settings, inside: LmsSide
) -> None:
    await inside.channel.declare_queue("unbound", durable=True)
    await inside.put("red", call("unbound"))
    async with running_bridge(settings):
        assert (await inside.take("unbound")).body == REPLY


async def test_rabbitmqs_direct_reply_to_works(settings: Settings, inside: LmsSide, vhost: VHost) -> None:
    direct = await inside.channel.get_queue("amq.rabbitmq.reply-to", ensure=False)
    answers: list[bytes] = []

    async def answered(message: aio_pika.abc.AbstractIncomingMessage) -> None:
        answers.append(message.body)

    await direct.consume(answered, no_ack=True)
    await inside.put("red", call("amq.rabbitmq.reply-to"))
    async with running_bridge(settings):
        await eventually(lambda: answers)
    assert answers == [REPLY]


async def test_a_caller_that_has_gone_holds_nothing_up(settings: Settings, inside: LmsSide, grader: FakeGrader) -> None:
    await inside.put("red", call("gone"))
    await inside.submit("red")
    async with running_bridge(settings):
        assert (await inside.take()).body == REPLY
        await eventually(lambda: len(grader.asked) == 2)
    assert await inside.waiting(submissions_queue("red")) == 0
    assert await inside.waiting(SUBMISSIONS_PARKED) == 0


@pytest.fixture
def users(vhost: VHost) -> Iterator[BrokerUsers]:
    with broker_users(vhost, {"mallory": ["red"]}, {"red": None}) as made:
        yield made


async def test_the_bridges_own_user_has_the_rights_that_it_needs_and_none_to_the_default_exchange(
    settings: Settings, inside: LmsSide, users: BrokerUsers, grader: FakeGrader
) -> None:
    urls = await asyncio.to_thread(users.set_up)
    await bound_queue(inside, "bound")
    await inside.channel.declare_queue("unbound", durable=True)
    for number in range(3):
        await inside.put("red", call("unbound", str(number)))
    await inside.put("red", call("bound"))
    good = await inside.submit("red")
    grader.says(REPLY)
    async with running_bridge(settings_for(urls["passive"], {"red": grader.url})):
        assert (await inside.take("bound")).body == REPLY
        assert (await inside.take()).correlation_id == good.uuid
        grader.says(b"bad")
        await inside.submit("red")
        assert (await inside.take(SUBMISSIONS_PARKED)).headers["xqueue-parked-queue"] == "red"
        assert (await inside.take()).body == NOTICE
    assert await inside.waiting("unbound") == 0
    assert await inside.waiting(submissions_queue("red")) == 0


def forge(amqp_url: str, name: str) -> list[int | None]:
    """Try every way of an AMQP grader to put an answer into a caller's queue; return the broker's refusals."""
    forged: list[tuple[str, str, dict[str, object]]] = [
        (ANSWERS_EXCHANGE, name, {}),
        ("", name, {}),
        (RESULTS_EXCHANGE, name, {}),
        (RESULTS_EXCHANGE, RESULTS_QUEUE, {"CC": [name], "BCC": [name]}),
    ]

    def publish(exchange: str, key: str, headers: dict[str, object]) -> Act:
        properties = pika.BasicProperties(correlation_id="a call", headers=headers)
        return lambda channel: channel.basic_publish(exchange, key, b"forged", properties)

    with pika.BlockingConnection(pika.URLParameters(amqp_url)) as connection:
        return [refusal(connection, publish(*each)) for each in forged]


async def test_no_amqp_grader_forges_an_answer_by_whatever_exchange_routing_key_or_header(
    inside: LmsSide, users: BrokerUsers, grader: FakeGrader
) -> None:
    urls = await asyncio.to_thread(users.set_up)
    await bound_queue(inside, "replies")
    await bound_queue(inside, "as before", RESULTS_EXCHANGE)
    await inside.put("red", call("replies"))
    refused = 403
    assert await asyncio.to_thread(forge, urls["mallory"], "replies") == [refused, refused, None, None]
    async with running_bridge(settings_for(urls["passive"], {"red": grader.url})):
        answer = await inside.take("replies")
    assert (answer.body, answer.user_id) == (REPLY, users.name("passive"))
    assert await inside.waiting("replies") == 0
    # Who is bound where graders publish gets what they forge, and can tell by the user, for whom the broker vouches.
    await asyncio.to_thread(forge, urls["mallory"], "as before")
    assert (await inside.take("as before")).user_id is None
