"""What arrives at the LMS, and how often."""

import asyncio
import base64
import json
import logging
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import SecretStr

from broker_setup.settings import Settings
from broker_setup.topology import retry_queue
from tests.support.broker import VHost
from tests.support.certificates import https_lms, make_certificate
from tests.support.lms import Answer, FakeLMS
from tests.support.relay import REPLY, RUNGS, Results, running_relay, settings_for
from tests.support.waiting import eventually

STRANGE = '{"msg": "\N{GRINNING FACE} \u00e9 +&=%25\r\n\ttab \u0001"}'.encode()


@pytest.mark.parametrize(
    "body",
    [b"", REPLY, STRANGE, bytes(range(1, 256)), STRANGE * (1_000_000 // len(STRANGE) + 1)],
    ids=["empty", "usual", "emoji and CRLF", "every byte but NUL", "1 MB"],
)
async def test_the_reply_and_the_header_arrive_byte_for_byte(
    settings: Settings, results: Results, lms: FakeLMS, body: bytes
) -> None:
    header = lms.header("\N{GRINNING FACE}\r\n").replace(", ", " ,\n ")
    async with running_relay(settings):
        await results.put(header, body)
        [callback] = await lms.wait_accepted(1)
    assert callback.fields == [(b"xqueue_header", header.encode()), (b"xqueue_body", body)]
    assert callback.method == "POST"
    assert callback.path == "/courses/course-v1:X+Y+Z/xqueue/7/block-v1:a@problem+block@b/score_update"
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
    auth = ("lms", SecretStr("pass:w\u00f6rd"))
    async with running_relay(settings.model_copy(update={"requests_basic_auth": auth})):
        await results.put(lms.header())
        [callback] = await lms.wait_accepted(1)
    assert base64.b64decode(callback.headers["Authorization"].removeprefix("Basic ")).decode() == "lms:pass:w\u00f6rd"


async def test_a_url_with_user_and_password_uses_those(settings: Settings, results: Results, lms: FakeLMS) -> None:
    header = lms.header().replace("http://", "http://someone:else@")
    auth = ("lms", SecretStr("password"))
    async with running_relay(settings.model_copy(update={"requests_basic_auth": auth})):
        await results.put(header)
        [callback] = await lms.wait_accepted(1)
    assert base64.b64decode(callback.headers["Authorization"].removeprefix("Basic ")) == b"someone:else"


async def test_a_failed_callback_is_tried_again_rung_by_rung(
    settings: Settings, results: Results, lms: FakeLMS
) -> None:
    lms.next_answers(500, 404, 201, 429)
    async with running_relay(settings):
        await results.put(lms.header(), STRANGE)
        tries = await lms.wait_received(5)
    assert len({callback.body for callback in tries}) == 1
    waits = [later.at - earlier.at for earlier, later in pairwise(tries)]
    assert all(wait >= rung * 0.9 for wait, rung in zip(waits, [*RUNGS, RUNGS[-1], RUNGS[-1]], strict=True)), waits
    assert len(lms.accepted) == 1


async def test_a_redirect_is_not_followed_and_tried_again(settings: Settings, results: Results, lms: FakeLMS) -> None:
    lms.next_answers(*(Answer(status, headers={"Location": "/elsewhere"}) for status in (301, 302, 303, 307, 308)))
    async with running_relay(settings):
        await results.put(lms.header(path="/score_update"))
        tries = await lms.wait_received(6)
    assert {(callback.method, callback.path) for callback in tries} == {("POST", "/score_update")}


async def test_an_lms_that_is_down_gets_the_result_when_it_is_back(
    settings: Settings, results: Results, lms: FakeLMS
) -> None:
    header = lms.header()
    await lms.stop()
    async with running_relay(settings):
        await results.put(header)
        await _comes_to_a_rung(results)
        await lms.start()
        assert [callback.xqueue_body for callback in await lms.wait_accepted(1)] == [REPLY]


async def test_an_lms_that_does_not_answer_in_time_is_tried_again(vhost: VHost, results: Results, lms: FakeLMS) -> None:
    lms.next_answers(Answer(delay=5))
    async with running_relay(settings_for(vhost.amqp_url, requests_timeout=0.3)):
        await results.put(lms.header())
        first, second = await lms.wait_received(2)
    assert 0.3 <= second.at - first.at < 3


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
        await eventually(lambda: "the certificate is not trusted" in caplog.text)


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
        await results.put(lms.header(), b"graded again", submission=uuid)
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


async def test_no_more_callbacks_are_under_way_than_the_settings_say(
    vhost: VHost, results: Results, lms: FakeLMS
) -> None:
    lms.always(Answer(delay=0.05))
    async with running_relay(settings_for(vhost.amqp_url, callback_concurrency=4)):
        await results.put_many([lms.header(str(number)) for number in range(40)])
        await lms.wait_accepted(40)
    assert lms.most_under_way == 4


async def _comes_to_a_rung(results: Results) -> None:
    async with asyncio.timeout(10):
        while not [rung for rung in RUNGS if await results.waiting(retry_queue(rung))]:
            await asyncio.sleep(0.01)
