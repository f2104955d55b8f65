"""A result that ends whoever looks at it is not taken first again and again; one that only came back is delivered."""

import asyncio
import json
from typing import Any

import pika
import pytest

from broker_setup.settings import Settings
from broker_setup.topology import RESULTS_EXCHANGE, RESULTS_PARKED, RESULTS_QUEUE
from broker_setup.wire import reply_checker
from broker_setup.wire.notices import failure_notice
from broker_setup.wire.properties import DELIVERY_COUNT_HEADER
from broker_setup.wire.results import Result, encode_result
from broker_setup.wire.return_address import ReturnAddress
from tests.support.lms import FakeLMS
from tests.support.poison import POISON, check_and_die, come_back
from tests.support.relay import REPLY, Results, running_relay
from tests.support.waiting import eventually


async def test_what_came_back_again_and_again_is_looked_at_by_a_process_that_may_die_of_it(
    settings: Settings, results: Results, lms: FakeLMS, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reply_checker, "check_reply", check_and_die)
    deadly = await results.put(lms.header("deadly"), POISON)
    for number in range(3):
        await results.put(lms.header(str(number)))
    await come_back(settings.amqp_url.get_secret_value(), RESULTS_QUEUE, messages=4)
    async with running_relay(settings):
        parked = await results.parked()
        await lms.wait_accepted(4)
        await results.rest(settings)
    assert parked.correlation_id == deadly
    assert parked.headers["xqueue-parked-reason"] == f"the grader's reply: {reply_checker.DEADLY}"
    bodies = {callback.lms_key: callback.xqueue_body for callback in lms.accepted}
    assert bodies.pop("deadly") == failure_notice(settings.failure_message)
    assert bodies == dict.fromkeys("012", REPLY)


@pytest.mark.parametrize("returns", [0, 1])
async def test_what_its_publisher_says_of_returns_costs_no_process(
    settings: Settings, results: Results, lms: FakeLMS, monkeypatch: pytest.MonkeyPatch, returns: int
) -> None:
    asked: list[object] = []

    async def ask(_: reply_checker.Taster, *arguments: object) -> None:
        asked.append(arguments)

    monkeypatch.setattr(reply_checker.Taster, "ask", ask)
    sealed = results.sealer.seal(ReturnAddress("0" * 32, lms.header()))
    forged = encode_result(Result("0" * 32, REPLY, sealed))
    forged.headers[DELIVERY_COUNT_HEADER] = reply_checker.SUSPECTED_RETURNS + 1
    await results.put_message(forged)
    # From the first return on the broker writes its own over it.
    await come_back(settings.amqp_url.get_secret_value(), RESULTS_QUEUE, messages=1, returns=returns)
    async with running_relay(settings):
        await lms.wait_accepted(1)
    assert not asked


class _Twice(dict[str, Any]):
    """A table with two values of one key, as it is written."""

    def items(self) -> list[tuple[str, Any]]:  # type: ignore[override]
        return [("CC", []), ("CC", "of a type that RabbitMQ refuses")]


@pytest.mark.parametrize(
    "headers", [{"list": [None] * 100_000}, _Twice(CC="")], ids=["very many values", "a key twice"]
)
async def test_headers_that_cost_the_client_library_minutes_or_make_copies_fail_are_parked_like_any_others(
    settings: Settings, results: Results, lms: FakeLMS, headers: dict[str, Any]
) -> None:
    settings = settings.model_copy(update={"callback_concurrency": 4})

    def publish() -> None:
        with pika.BlockingConnection(pika.URLParameters(settings.amqp_url.get_secret_value())) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            for _ in range(settings.callback_concurrency):
                channel.basic_publish(RESULTS_EXCHANGE, RESULTS_QUEUE, b"junk", pika.BasicProperties(headers=headers))

    await asyncio.to_thread(publish)
    await results.put(lms.header("behind them"))
    async with running_relay(settings):
        await lms.wait_accepted(1)
        await eventually(lambda: all_parked(results, settings.callback_concurrency))


async def all_parked(results: Results, number: int) -> bool:
    return await results.waiting(RESULTS_PARKED) == number


async def test_a_large_result_is_delivered_and_one_that_is_too_large_is_parked_and_its_student_told(
    settings: Settings, results: Results, lms: FakeLMS
) -> None:
    settings = settings.model_copy(update={"max_reply_size": 1_000_000})
    large, larger = (json.dumps({"correct": True, "score": 1, "msg": "x" * size}) for size in (500_000, 1_000_000))
    await results.put(lms.header("large"), large.encode())
    await results.put(lms.header("larger"), larger.encode())
    await results.put(lms.header("bad"), large.replace('"score": 1', '"score": null').encode())
    async with running_relay(settings):
        reasons = [str((await results.parked()).headers["xqueue-parked-reason"]) for _ in range(2)]
        await lms.wait_accepted(3)
        await results.rest(settings)
    notice = failure_notice(settings.failure_message)
    assert {callback.lms_key: callback.xqueue_body for callback in lms.accepted} == {
        "large": large.encode(),
        "larger": notice,
        "bad": notice,
    }
    assert sorted(reason.split(" bytes")[0] for reason in reasons) == [
        f"the grader's reply: it has {len(larger)}",
        "the grader's reply: its score is not a number",
    ]
