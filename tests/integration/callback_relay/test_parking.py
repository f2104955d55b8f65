"""Messages that no callback can be made of: put aside for an operator, with the reason."""

import asyncio
import json
from time import monotonic
from uuid import uuid4

import pika
import pytest
from pydantic import SecretStr

from broker_setup.amqp.messages import Message
from broker_setup.link.broker_url import user_of
from broker_setup.settings import Settings
from broker_setup.topology import RESULTS_PARKED, RESULTS_QUEUE
from broker_setup.wire.notices import failure_notice
from broker_setup.wire.parked import PARKED_REASON_HEADER, Kind, read_parked
from broker_setup.wire.properties import MAX_MESSAGE_BYTES, RETURN_HEADER, TRIES_HEADER
from broker_setup.wire.replies import Finding
from broker_setup.wire.reply_checker import ReplyChecker
from broker_setup.wire.results import Result, Tries, encode_result
from broker_setup.wire.return_address import ReturnAddress, Sealer
from callback_relay.floods import AT_ONCE, EACH_SECOND
from tests.support.broker import VHost
from tests.support.lms import FakeLMS
from tests.support.relay import REPLY, Results, running_relay
from tests.support.waiting import eventually


async def test_a_forged_return_address_is_parked(settings: Settings, results: Results, lms: FakeLMS) -> None:
    uuid = uuid4().hex
    address = ReturnAddress(uuid, lms.header())
    ours, stranger = results.sealer.seal(address), Sealer(["a stranger's secret, of the same length"]).seal(address)
    # It says that it was sealed under our secret.
    await _is_parked(
        settings, results, lms, Result(uuid, REPLY, ours[:12] + stranger[12:]), "was not sealed by this XQueue"
    )


async def test_a_truncated_return_address_is_parked(settings: Settings, results: Results, lms: FakeLMS) -> None:
    uuid = uuid4().hex
    sealed = results.sealer.seal(ReturnAddress(uuid, lms.header()))
    await _is_parked(settings, results, lms, Result(uuid, REPLY, sealed[:-7]), "was not sealed by this XQueue")


async def test_an_empty_return_address_is_parked(settings: Settings, results: Results, lms: FakeLMS) -> None:
    await _is_parked(settings, results, lms, Result(uuid4().hex, REPLY, ""), "was not sealed by this XQueue")


async def test_another_submissions_return_address_is_parked(settings: Settings, results: Results, lms: FakeLMS) -> None:
    sealed = results.sealer.seal(ReturnAddress(uuid4().hex, lms.header()))
    await _is_parked(settings, results, lms, Result(uuid4().hex, REPLY, sealed), "belongs to submission")


async def test_a_return_address_of_a_secret_that_is_used_no_more_is_parked_when_it_has_waited_long_enough(
    settings: Settings, results: Results, lms: FakeLMS
) -> None:
    uuid = uuid4().hex
    sealed = results.sealer.seal(ReturnAddress(uuid, lms.header()))
    rotated = {"secret_key": SecretStr("the secret after the last rotation"), "callback_max_age": 0.5}
    changed = settings.model_copy(update=rotated)
    await _is_parked(changed, results, lms, Result(uuid, REPLY, sealed), "a SECRET_KEY that is not known here")


@pytest.mark.parametrize("middle", [15, 50, 100])
async def test_a_return_address_with_another_letter_in_it_is_parked(
    settings: Settings, results: Results, lms: FakeLMS, middle: int
) -> None:
    uuid = uuid4().hex
    sealed = results.sealer.seal(ReturnAddress(uuid, lms.header()))
    other = "A" if sealed[middle] != "A" else "B"
    changed = sealed[:middle] + other + sealed[middle + 1 :]
    await _is_parked(settings, results, lms, Result(uuid, REPLY, changed), "was not sealed by this XQueue")


async def test_a_return_address_that_was_used_is_not_good_for_another_reply(
    settings: Settings, results: Results, lms: FakeLMS
) -> None:
    async with running_relay(settings):
        uuid = uuid4().hex
        sealed = results.sealer.seal(ReturnAddress(uuid, lms.header()))
        await results.put("", submission=uuid, sealed=sealed)
        await lms.wait_accepted(1)
        for body in (REPLY, REPLY.replace(b"0.9", b"1.0")):
            await results.put("", body, submission=uuid, sealed=sealed)
        await results.put(lms.header("another"))
        await lms.wait_accepted(2)
    assert [callback.lms_key for callback in lms.received] == ["key", "another"]
    assert await results.waiting() == 0


@pytest.mark.parametrize(
    ("named", "why"),
    [(True, "may not answer the queue 'openedx'"), (False, "it names no user")],
    ids=["named", "nameless"],
)
async def test_a_graders_result_for_a_queue_of_others_is_parked(
    settings: Settings, results: Results, lms: FakeLMS, why: str, *, named: bool
) -> None:
    us = user_of(settings.amqp_url.get_secret_value())
    of_a_grader = settings.model_copy(update={"amqp_graders": {us: ("matlab",)}})
    uuid = uuid4().hex
    result = Result(uuid, REPLY, results.sealer.seal(ReturnAddress(uuid, lms.header())))
    message = encode_result(result)
    message.user_id = us if named else None
    async with running_relay(of_a_grader):
        await results.put_message(message)
        parked = await results.parked()
    assert why in str(parked.headers[PARKED_REASON_HEADER])
    assert lms.received == []


@pytest.mark.parametrize("lms_header", ["", "no JSON", "{}", '{"lms_callback_url": "ftp://lms/"}'])
async def test_a_header_without_a_callback_url_is_parked(
    settings: Settings, results: Results, lms: FakeLMS, lms_header: str
) -> None:
    uuid = uuid4().hex
    sealed = results.sealer.seal(ReturnAddress(uuid, lms_header))
    await _is_parked(settings, results, lms, Result(uuid, REPLY, sealed), "the LMS's")


async def _is_parked(settings: Settings, results: Results, lms: FakeLMS, result: Result, why: str) -> None:
    async with running_relay(settings):
        await results.put_message(encode_result(result))
        parked = await results.parked()
    assert why in str(parked.headers[PARKED_REASON_HEADER])
    assert (parked.body, parked.correlation_id) == (result.body, result.submission)
    assert parked.headers[RETURN_HEADER] == result.sealed_return
    assert lms.received == []
    assert await results.waiting() == 0


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (b"the grader's log instead of a reply", "it is not JSON"),
        (b'{"correct": false, "score": null, "msg": "No"}', "its score is not a number"),
        (b'{"correct": true, "score": "100", "msg": "Yes"}', "its score is not a number"),
    ],
)
async def test_a_bad_reply_of_an_amqp_grader_is_parked_and_the_student_is_told_once(
    settings: Settings, results: Results, lms: FakeLMS, reply: bytes, why: str
) -> None:
    async with running_relay(settings):
        uuid = await results.put(lms.header(), reply)
        parked = await results.parked()
        [callback] = await lms.wait_accepted(1)
        redriven = Result(uuid, parked.body, str(parked.headers[RETURN_HEADER]), redriven=1)
        await results.put_message(encode_result(redriven))
        assert (await results.parked()).body == parked.body
    assert parked.headers[PARKED_REASON_HEADER] == f"the grader's reply: {why}"
    assert callback.xqueue_body == failure_notice(settings.failure_message)
    assert len(lms.received) == 1
    assert await results.waiting() == 0


async def test_replies_are_not_looked_at_where_the_settings_say_so(
    settings: Settings, results: Results, lms: FakeLMS
) -> None:
    async with running_relay(settings.model_copy(update={"validate_results": False})):
        await results.put(lms.header(), b"anything")
        [callback] = await lms.wait_accepted(1)
    assert callback.xqueue_body == b"anything"


GARBAGE = [
    Message(b""),
    Message(b"\x00\xff" * 1000, correlation_id="not a uuid"),
    Message(b"no return address", correlation_id=uuid4().hex),
    Message(b"a number", correlation_id=uuid4().hex, headers={RETURN_HEADER: 7}),
    Message(
        b"a table", correlation_id=uuid4().hex, headers={RETURN_HEADER: {"a": [1, None]}, "x-death": [{"count": 1}]}
    ),
    Message(b"a bad count", correlation_id=uuid4().hex, headers={RETURN_HEADER: "x", TRIES_HEADER: -1}),
    Message(b"much", headers={f"header-{number}": "\u00e9" * 6000 for number in range(10)}),
]


@pytest.mark.parametrize(
    "message", GARBAGE, ids=[message.body[:20].decode("latin-1") or "empty" for message in GARBAGE]
)
async def test_a_message_that_is_no_result_is_parked_and_the_next_goes_out(
    settings: Settings, results: Results, lms: FakeLMS, message: Message
) -> None:
    async with running_relay(settings):
        await results.put_message(message)
        parked = await results.parked()
        await results.put(lms.header())
        await lms.wait_accepted(1)
    assert parked.body == message.body
    assert parked.headers[PARKED_REASON_HEADER]
    assert await results.waiting() == 0


async def test_what_is_larger_than_a_result_may_be_is_moved_by_the_broker_and_not_copied(
    settings: Settings, results: Results, lms: FakeLMS
) -> None:
    large = Message(bytes(MAX_MESSAGE_BYTES + 1), correlation_id=uuid4().hex, headers={RETURN_HEADER: "sealed"})
    async with running_relay(settings):
        await results.put_message(large)
        parked = await results.parked()
        await results.put(lms.header())
        await lms.wait_accepted(1)
    assert len(parked.body) == len(large.body)
    assert read_parked(parked, Kind.RESULT).reason == "dead-lettered: rejected from xqueue.results"
    assert await results.waiting(RESULTS_PARKED) == await results.waiting() == 0


async def test_a_flood_of_what_is_no_result_is_let_go_without_copies_and_what_stands_behind_it_is_delivered(
    settings: Settings, results: Results, lms: FakeLMS, caplog: pytest.LogCaptureFixture
) -> None:
    pieces = 4 * int(AT_ONCE)
    with_a_grader = settings.model_copy(update={"amqp_graders": {"mallory": ("openedx",)}})
    await asyncio.gather(*(results.put_message(Message(b"")) for _ in range(pieces)))
    uuid = uuid4().hex
    good = encode_result(Result(uuid, REPLY, results.sealer.seal(ReturnAddress(uuid, lms.header()))))
    good.user_id = user_of(settings.amqp_url.get_secret_value())
    await results.put_message(good)
    began = monotonic()
    async with running_relay(with_a_grader):
        await lms.wait_accepted(1, within=60)
        took = monotonic() - began
        parked = [await results.parked() for _ in range(pieces)]
    copies = [each for each in parked if PARKED_REASON_HEADER in each.headers]
    assert AT_ONCE <= len(copies) <= AT_ONCE + EACH_SECOND * took + 1
    assert {read_parked(each, Kind.RESULT).reason for each in parked if each not in copies} == {
        "dead-lettered: rejected from xqueue.results"
    }
    assert len([line for line in caplog.messages if "floods the results" in line]) == 1
    assert await results.waiting() == 0


async def test_no_reply_is_looked_at_that_its_sender_may_not_give_or_that_repeats_a_delivered_one(
    settings: Settings, results: Results, lms: FakeLMS, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[bytes] = []
    at_once = ReplyChecker.at_once

    def look(checker: ReplyChecker, url: str, reply: bytes, returns: int = 0) -> Finding | None:
        looked_at.append(reply)
        return at_once(checker, url, reply, returns)

    monkeypatch.setattr(ReplyChecker, "at_once", look)
    us = user_of(settings.amqp_url.get_secret_value())
    of_a_grader = settings.model_copy(update={"amqp_graders": {us: ("another",)}})

    async def send(queue: str, uuid: str, reply: bytes) -> None:
        header = json.dumps(json.loads(lms.header()) | {"queue_name": queue})
        message = encode_result(Result(uuid, reply, results.sealer.seal(ReturnAddress(uuid, header))))
        message.user_id = us
        await results.put_message(message)

    delivered = uuid4().hex
    async with running_relay(of_a_grader) as relay:
        await send("another", delivered, REPLY)
        await lms.wait_accepted(1)
        # The LMS has it a moment before the relay knows that.
        await eventually(lambda: not relay._schedule.at_hand)
        await send("another", delivered, b"no JSON")
        await send("openedx", uuid4().hex, b"likewise")
        parked = await results.parked()
    assert "may not answer the queue" in read_parked(parked, Kind.RESULT).reason
    assert looked_at == [REPLY]
    assert await results.waiting(RESULTS_PARKED) == 0


async def test_a_count_of_tries_from_a_stranger_does_no_harm(
    settings: Settings, results: Results, lms: FakeLMS
) -> None:
    lms.next_answers(500)
    async with running_relay(settings):
        await results.put(lms.header(), tries=Tries(2**63 - 1, 2**63 - 1, 2**63 - 1, 2**63 - 1))
        await lms.wait_accepted(1)


ILL_MADE = {
    "time in microseconds": pika.BasicProperties(timestamp=1_700_000_000_000_000),
    "correlation_id": pika.BasicProperties(correlation_id=b"\xff" * 255),
    "type": pika.BasicProperties(type=b"\xfe\xff"),
}


@pytest.mark.parametrize("properties", ILL_MADE.values(), ids=ILL_MADE)
async def test_properties_that_can_not_be_read_do_not_stop_the_others(
    vhost: VHost, settings: Settings, results: Results, lms: FakeLMS, properties: pika.BasicProperties
) -> None:
    async with running_relay(settings):
        await asyncio.to_thread(_publish, vhost.amqp_url, properties)
        parked = await results.parked()
        await results.put(lms.header())
        await lms.wait_accepted(1)
    assert parked.body == b"ill made"


def _publish(url: str, properties: pika.BasicProperties) -> None:
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        connection.channel().basic_publish("", RESULTS_QUEUE, b"ill made", properties)
