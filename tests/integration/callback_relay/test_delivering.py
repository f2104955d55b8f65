"""What arrives at the LMS, and how often."""

import asyncio
import base64
import json
import logging
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from msgspec.structs import replace
from pydantic import SecretStr

from broker_setup.ledger.events import Delivered as LedgerDelivered
from broker_setup.ledger.events import Discarded, Graded, hash_url
from broker_setup.settings import Settings
from broker_setup.topology import RESULTS_PARKED, retry_queue
from broker_setup.wire.notices import notice_of
from broker_setup.wire.parked import PARKED_ORIGIN_HEADER, PARKED_QUEUE_HEADER, PARKED_REASON_HEADER
from broker_setup.wire.properties import TRIES_HEADER
from broker_setup.wire.results import Result, encode_result
from broker_setup.wire.return_address import ReturnAddress
from tests.support.broker import VHost
from tests.support.certificates import https_lms, make_certificate
from tests.support.ledger import follower
from tests.support.lms import Answer, FakeLMS
from tests.support.relay import BESIDE, REPLY, RUNGS, Results, beside_others, results_at, running_relay, settings_for
from tests.support.waiting import eventually

# A callback that takes any reply.
FREE_FORM = "/courses/course-v1:X+Y+Z/xqueue/7/block-v1:a@problem+block@b/any_other"
STRANGE = '{"msg": "\N{GRINNING FACE} \u00e9 +&=%25\r\n\ttab \u0001"}'.encode()


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


async def test_a_failed_callback_is_tried_again_rung_by_rung(
    settings: Settings, results: Results, lms: FakeLMS
) -> None:
    plan = iter((500, 404, 201, 429))
    lms.answer = lambda callback: Answer(next(plan, 200) if callback.path == FREE_FORM else 200)
    async with running_relay(settings), beside_others(results, lms):
        await results.put(lms.header(path=FREE_FORM), STRANGE)
        await eventually(lambda: [each for each in lms.accepted if each.path == FREE_FORM])
    tries = [callback for callback in lms.received if callback.path == FREE_FORM]
    assert len({callback.body for callback in tries}) == 1
    waits = [later.at - earlier.at for earlier, later in pairwise(tries)]
    # By chance each is on the rung below.
    rungs = [RUNGS[0], RUNGS[0], RUNGS[1], RUNGS[1]]
    assert all(wait >= rung * 0.9 for wait, rung in zip(waits, rungs, strict=True)), waits


@pytest.mark.parametrize("status", [302, 400, 403, 404, 410, 201])
async def test_a_refused_callback_is_parked_after_a_few_tries(
    vhost: VHost, results: Results, lms: FakeLMS, status: int
) -> None:
    """One URL's refusals, beside others that are taken."""
    lms.answer = lambda callback: Answer(200 if callback.path.startswith(BESIDE) else status)
    async with running_relay(settings_for(vhost.amqp_url, max_number_of_failures=3)), beside_others(results, lms):
        await results.put(lms.header())
        parked = await results.parked()
    assert f"answered {status}" in str(parked.headers[PARKED_REASON_HEADER])
    assert parked.headers[TRIES_HEADER] == 3
    assert parked.headers[PARKED_ORIGIN_HEADER] == lms.origin
    assert parked.headers[PARKED_QUEUE_HEADER] == "openedx"
    # Without the notice, by which its student is told.
    tries = [each for each in lms.received if not each.path.startswith(BESIDE) and each.xqueue_body == REPLY]
    assert len(tries) == 3


@pytest.mark.parametrize("status", [302, 401, 403, 404, 413])
async def test_what_a_whole_site_refuses_waits_until_somebody_has_mended_it(
    vhost: VHost, results: Results, lms: FakeLMS, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """All were parked within two minutes, and stayed so when it was mended."""
    answer = Answer(status, headers={"Location": "https://elsewhere.example/login"} if status == 302 else {})
    lms.always(answer)
    async with running_relay(settings_for(vhost.amqp_url, max_number_of_failures=2)):
        await results.put_many([lms.header(f"key {number}") for number in range(40)])
        # Beyond those that were under way when it got sick there are probes, enough to have parked some.
        await lms.wait_received(40)
        await asyncio.sleep(1.0)
        assert await results.waiting(RESULTS_PARKED) == 0
        lms.always(200)
        await lms.wait_accepted(40)
        await results.rest(settings_for(vhost.amqp_url))
    [said] = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert f"{lms.origin} refuses every callback: answered {status}" in said
    assert ("https://elsewhere.example/login" in said) == (status == 302)
    assert [record for record in caplog.records if "is back" in record.getMessage()]


async def test_the_good_results_of_an_lms_do_not_wait_for_the_broken_ones_before_them(
    vhost: VHost, lms: FakeLMS
) -> None:
    """A deleted problem is answered 500, whoever's result it is: the whole LMS was taken for away, for hours.

    How quick it is the simulation measures; here it is compared with rungs that are longer than anybody waits.
    """
    lms.answer = lambda callback: Answer(500 if callback.path.startswith("/broken/") else 200)
    settings = settings_for(
        vhost.amqp_url, retry_delays=(0.5, 2.0, 60.0), callback_concurrency=64, callback_concurrency_per_origin=16
    )
    async with results_at(settings) as results:
        await results.put_many([lms.header(f"broken {n}", path=f"/broken/{n}") for n in range(60)])
        await results.put_many([lms.header(f"good {n}", path=f"/good/{n}") for n in range(60)])
        async with running_relay(settings, until_idle=False):
            await lms.wait_accepted(60, within=90)


async def test_a_students_second_submission_does_not_wait_for_the_first_whose_result_fails(
    vhost: VHost, lms: FakeLMS
) -> None:
    lms.answer = lambda callback: Answer(500 if callback.lms_key == "first" else 200)
    settings = settings_for(vhost.amqp_url, retry_delays=(60.0,))
    async with results_at(settings) as results, running_relay(settings, until_idle=False):
        await results.put(lms.header("first", path="/same"))
        await lms.wait_received(1)
        await results.put(lms.header("second", path="/same"))
        [callback] = await lms.wait_accepted(1)
    assert callback.lms_key == "second"


async def test_an_older_submissions_result_is_given_up_when_it_fails_once_more_after_a_newer_ones(
    vhost: VHost, results: Results, lms: FakeLMS
) -> None:
    lms.answer = lambda callback: Answer(500 if callback.lms_key == "older" else 200)
    settings = settings_for(vhost.amqp_url, supersede_min_age=0)
    async with (
        running_relay(settings),
        follower(vhost.amqp_url) as ledger,
        beside_others(results, lms),
    ):
        older = await results.put(lms.header("older", path="/same"))
        await lms.wait_received(1)
        await asyncio.sleep(1.1)  # what is sealed says when to the second
        await results.put(lms.header("newer", path="/same"))
        async with asyncio.timeout(20):
            while not [event for event in ledger.events if isinstance(event, Discarded)]:
                await ledger.catch_up()
    [event] = [event for event in ledger.events if isinstance(event, Discarded)]
    assert event.submission.hex() == older
    assert "a newer submission's result has come" in event.reason
    assert await results.waiting(RESULTS_PARKED) == 0


async def test_a_callback_that_fails_for_too_long_is_parked(vhost: VHost, results: Results, lms: FakeLMS) -> None:
    lms.always(503)
    # Messages say to the second since when they fail: it is 2 to 3 s.
    async with running_relay(settings_for(vhost.amqp_url, callback_max_age=3)):
        await results.put(lms.header())
        parked = await results.parked()
    assert str(parked.headers[PARKED_REASON_HEADER]).startswith("answered 503; failing for")
    assert len(lms.received) > 3


async def test_results_of_one_url_arrive_in_their_order_though_the_first_fails(
    settings: Settings, results: Results, lms: FakeLMS
) -> None:
    lms.next_answers(503, 503, 503)
    async with running_relay(settings):
        uuid = await results.put(lms.header(path="/same"), b"first")
        await results.put(lms.header(path="/same"), b"amended", submission=uuid, amendment=1)
        await results.put(lms.header(path="/same"), b"of another submission")
        accepted = await lms.wait_accepted(3)
    bodies = [callback.xqueue_body for callback in accepted]
    assert [body for body in bodies if body != b"of another submission"] == [b"first", b"amended"]
    assert lms.most_under_way == 1


async def test_a_redirect_is_not_followed(vhost: VHost, results: Results, lms: FakeLMS) -> None:
    lms.next_answers(*(Answer(status, headers={"Location": "/elsewhere"}) for status in (301, 302, 303, 307, 308)))
    async with running_relay(settings_for(vhost.amqp_url, max_number_of_failures=6)):
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


async def _comes_to_a_rung(results: Results) -> None:
    async with asyncio.timeout(60):
        while not [rung for rung in RUNGS if await results.waiting(retry_queue(rung))]:
            await asyncio.sleep(0.01)


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
