"""Copies of one result, by a grader that sends it again and again: bounded in whatever each of them costs."""

import asyncio
import json
from threading import Event
from time import monotonic
from uuid import uuid4

import pytest

from broker_setup.link.broker_url import user_of
from broker_setup.operator.setup.declare import declare
from broker_setup.settings import Settings
from broker_setup.topology import retry_queue
from broker_setup.wire import reply_checker
from broker_setup.wire.parked import PARKED_REASON_HEADER, Kind, read_parked
from broker_setup.wire.replies import FINE, Finding, check_strictly
from broker_setup.wire.reply_checker import BESIDE_BYTES
from broker_setup.wire.results import Result, encode_result
from broker_setup.wire.return_address import ReturnAddress
from callback_relay import incoming
from callback_relay.floods import AT_ONCE, EACH_SECOND
from tests.support.lms import FakeLMS
from tests.support.relay import REPLY, Results, running_relay
from tests.support.waiting import eventually


@pytest.mark.parametrize("reply", [b"no JSON", b"x" * (BESIDE_BYTES + 1)], ids=["small", "large"])
async def test_one_bad_reply_again_and_again_is_told_once_and_then_let_go_unlooked_at_and_without_copies(
    settings: Settings, results: Results, lms: FakeLMS, monkeypatch: pytest.MonkeyPatch, reply: bytes
) -> None:
    looked_at: list[bytes] = []

    def look(_: str, reply: bytes, most: int) -> Finding:
        looked_at.append(reply)
        return check_strictly(reply, most)

    monkeypatch.setattr(reply_checker, "check_reply", look)
    us = user_of(settings.amqp_url.get_secret_value())
    of_a_grader = settings.model_copy(update={"amqp_graders": {us: ("openedx",)}})
    uuid, pieces = uuid4().hex, 2 * int(AT_ONCE)
    bad = encode_result(Result(uuid, reply, results.sealer.seal(ReturnAddress(uuid, lms.header()))))
    bad.user_id = us
    await asyncio.gather(*(results.put_message(bad) for _ in range(pieces)))
    began = monotonic()
    async with running_relay(of_a_grader):
        parked = [await results.parked() for _ in range(pieces)]
        took = monotonic() - began
        await lms.wait_accepted(1)
        await results.rest(of_a_grader)
    most = AT_ONCE + EACH_SECOND * took + 2
    copies = [each for each in parked if PARKED_REASON_HEADER in each.headers]
    assert 0 < len(copies) <= most
    assert 0 < len(looked_at) <= most
    assert len([each for each in parked if read_parked(each, Kind.RESULT).tell_at]) == 1
    assert len(lms.received) == 1


async def test_of_copies_of_one_result_that_fails_only_so_many_go_over_the_rungs(
    settings: Settings, results: Results, lms: FakeLMS, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming, "MOST_COPIES", 3)
    us = user_of(settings.amqp_url.get_secret_value())
    of_a_grader = settings.model_copy(update={"amqp_graders": {us: ("openedx",)}, "retry_delays": (600.0,)})
    await asyncio.to_thread(declare, settings.amqp_url.get_secret_value(), of_a_grader.topology)
    lms.next_answers(*[503] * 8)
    uuid = uuid4().hex
    message = encode_result(Result(uuid, REPLY, results.sealer.seal(ReturnAddress(uuid, lms.header()))))
    message.user_id = us
    for _ in range(8):
        await results.put_message(message)
    async with running_relay(of_a_grader):
        turned_away = [await results.parked() for _ in range(5)]
        await eventually(lambda: is_waiting(results, retry_queue(600.0), 3))
    assert not any(PARKED_REASON_HEADER in each.headers for each in turned_away)


async def is_waiting(results: Results, queue: str, number: int) -> bool:
    return await results.waiting(queue) == number


async def test_queues_take_turns_at_the_thread_where_large_replies_are_checked(
    settings: Settings, results: Results, lms: FakeLMS, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_check, checked = Event(), list[str]()

    def look(url: str, *_: object) -> Finding:
        assert may_check.wait(60)
        checked.append(url)
        return FINE

    monkeypatch.setattr(reply_checker, "check_reply", look)
    headers = [lms.header(str(number), queue="flooded") for number in range(8)] + [lms.header("8")]
    for header in headers:
        await results.put(header, REPLY.ljust(BESIDE_BYTES + 1))
    async with running_relay(settings) as relay:
        await eventually(lambda: relay._schedule.at_hand == len(headers))
        may_check.set()
        await lms.wait_accepted(len(headers))
    assert json.loads(headers[-1])["lms_callback_url"] in checked[:3]
