"""What arrives at the LMS, and how often."""

import asyncio
import base64
import json
import logging
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from msgspec.structs import replace
from pydantic import SecretStr

from broker_setup.ledger.events import Delivered as LedgerDelivered
from broker_setup.ledger.events import Graded, hash_url
from broker_setup.settings import Settings
from broker_setup.wire.notices import notice_of
from broker_setup.wire.results import Result, encode_result
from broker_setup.wire.return_address import ReturnAddress
from tests.support.broker import VHost
from tests.support.certificates import https_lms, make_certificate
from tests.support.ledger import follower
from tests.support.lms import Answer, FakeLMS
from tests.support.relay import FREE_FORM, REPLY, STRANGE, Results, running_relay, settings_for
from tests.support.waiting import eventually


@pytest.mark.parametrize(
    "body",
    [b"", REPLY, STRANGE, bytes(range(1, 256)), STRANGE * (1_000_000 // len(STRANGE) + 1)],
    ids=["empty", "usual", "emoji and CRLF", "every byte but NUL", "1 MB"],
)
async def test_the_reply_and_the_header_arrive_byte_for_byte(
    settings: Settings, results: Results, lms: FakeLMS, body: bytes
) -> None:
    header = lms.header("\N{GRINNING FACE}\r\n", path=FREE_FORM).replace(", ", " ,\n ")
    async with running_relay(settings):
        await results.put(header, body)
        [callback] = await lms.wait_accepted(1)
    assert callback.fields == [(b"xqueue_header", header.encode()), (b"xqueue_body", body)]
    assert callback.method == "POST"
    assert callback.path == urlsplit(json.loads(header)["lms_callback_url"]).path
    assert callback.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert "Authorization" not in callback.headers


async def test_a_delivered_result_is_gone_from_the_broker(settings: Settings, results: Results, lms: FakeLMS) -> None:
    async with running_relay(settings):
        await results.put(lms.header())
        await lms.wait_accepted(1)
    assert await results.waiting() == 0


async def test_the_callback_carries_the_basic_auth_of_the_settings(
    settings: Settings, results: Results, lms: FakeLMS
) -> None:
    auth = {"requests_basic_auth": ("lms", SecretStr("pass:w\u00f6rd")), "callback_allowed_origins": (lms.origin,)}
    async with running_relay(settings.model_copy(update=auth)):
        await results.put(lms.header())
        [callback] = await lms.wait_accepted(1)
    assert base64.b64decode(callback.headers["Authorization"].removeprefix("Basic ")).decode() == "lms:pass:w\u00f6rd"


async def test_a_url_with_user_and_password_uses_those(settings: Settings, results: Results, lms: FakeLMS) -> None:
    header = lms.header().replace("http://", "http://someone:else@")
    auth = {"requests_basic_auth": ("lms", SecretStr("password")), "callback_allowed_origins": (lms.origin,)}
    async with running_relay(settings.model_copy(update=auth)):
        await results.put(header)
        [callback] = await lms.wait_accepted(1)
    assert base64.b64decode(callback.headers["Authorization"].removeprefix("Basic ")) == b"someone:else"


async def test_a_redirect_is_not_followed(vhost: VHost, results: Results, lms: FakeLMS) -> None:
    lms.next_answers(*(Answer(status, headers={"Location": "/elsewhere"}) for status in (301, 302, 303, 307, 308)))
    async with running_relay(settings_for(vhost.amqp_url, max_number_of_failures=6)):
        await results.put(lms.header(path="/score_update"))
        tries = await lms.wait_received(6)
    assert {(callback.method, callback.path) for callback in tries} == {("POST", "/score_update")}


async def test_a_huge_answer_is_not_read_to_its_end(settings: Settings, results: Results, lms: FakeLMS) -> None:
    lms.always(Answer(body=bytes(50_000_000)))
    async with running_relay(settings):
        for _ in range(3):
            await results.put(lms.header())
        await lms.wait_accepted(3)
        await eventually(lambda: lms.under_way == 0)
    assert await results.waiting() == 0


async def test_an_untrusted_certificate_is_refused(
    settings: Settings, results: Results, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with https_lms(make_certificate(tmp_path)) as port, running_relay(settings):
        url = f"https://127.0.0.1:{port}/score_update"
        await results.put(json.dumps({"lms_callback_url": url, "lms_key": "k", "queue_name": "q"}))
        await eventually(lambda: "its certificate is signed by itself, and not trusted here" in caplog.text)


async def test_the_log_tells_where_and_why_but_not_what(
    settings: Settings, results: Results, lms: FakeLMS, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    lms.next_answers(Answer(503, body=b"the answer's secret"))
    async with running_relay(settings):
        uuid = await results.put(lms.header("the key", path="/secret/path"))
        await lms.wait_accepted(1)
    retried = next(record.message for record in caplog.records if uuid in record.message)
    assert retried == f"submission {uuid}: {lms.origin}: answered 503; try 2 in 0.1 s"
    assert not [
        word for word in ("secret", "the key", "Good job", results.sealer.__class__.__name__) if word in caplog.text
    ]


async def test_a_repeat_of_a_delivered_result_is_not_posted(
    settings: Settings, results: Results, lms: FakeLMS, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with running_relay(settings):
        uuid = await results.put(lms.header())
        await lms.wait_accepted(1)
        await results.put(lms.header(), REPLY.replace(b"0.9", b"0.8"), submission=uuid)
        await eventually(lambda: "repeat" in caplog.text)
    assert [callback.xqueue_body for callback in lms.received] == [REPLY]
    assert await results.waiting() == 0


async def test_two_results_of_one_submission_are_not_posted_at_once(
    settings: Settings, results: Results, lms: FakeLMS
) -> None:
    lms.next_answers(Answer(500, delay=0.5))
    async with running_relay(settings):
        uuid = await results.put(lms.header())
        await lms.wait_received(1)
        await results.put(lms.header(), submission=uuid)
        await lms.wait_accepted(1)
        await results.rest(settings)
    assert lms.most_under_way == 1
    assert len(lms.received) == 2


async def test_no_more_callbacks_of_one_lms_are_under_way_than_the_settings_say(
    vhost: VHost, results: Results, lms: FakeLMS
) -> None:
    lms.always(Answer(delay=0.05))
    async with running_relay(settings_for(vhost.amqp_url, callback_concurrency_per_origin=4)):
        await results.put_many([lms.header(str(number)) for number in range(40)])
        await lms.wait_accepted(40)
    assert lms.most_under_way == 4


async def test_the_ledger_hears_that_an_amqp_graders_result_has_come(
    vhost: VHost, settings: Settings, results: Results, lms: FakeLMS
) -> None:
    lms.next_answers(503)
    async with running_relay(settings), follower(vhost.amqp_url) as ledger:
        uuid = bytes.fromhex(await results.put(lms.header("amqp")))
        recorded = Result(uuid4().hex, REPLY, "", recorded=True)
        sealed = results.sealer.seal(ReturnAddress(recorded.submission, lms.header("gateway")))
        await results.put_message(encode_result(replace(recorded, sealed_return=sealed)))
        await lms.wait_accepted(2)
        await results.rest(settings)
        async with asyncio.timeout(60):
            while sum(isinstance(event, LedgerDelivered) for event in ledger.events) < 2:
                await ledger.catch_up()
    graded = [event for event in ledger.events if isinstance(event, Graded)]
    [event] = graded
    assert (event.submission, event.queue, event.key) == (uuid, "openedx", b"")
    assert event.url == hash_url(json.loads(lms.header("amqp"))["lms_callback_url"])


async def test_a_result_that_comes_after_all_is_posted_though_the_student_was_told_there_would_be_none(
    settings: Settings, results: Results, lms: FakeLMS
) -> None:
    uuid = uuid4().hex
    notice = notice_of(uuid, results.sealer.seal(ReturnAddress(uuid, lms.header())), "Sorry.")
    async with running_relay(settings):
        await results.put_message(encode_result(notice))
        await lms.wait_accepted(1)
        await results.put_message(encode_result(notice))
        await results.put(lms.header(), submission=uuid)
        await lms.wait_accepted(2)
        await results.rest(settings)
    assert [callback.xqueue_body for callback in lms.received] == [notice.body, REPLY]
