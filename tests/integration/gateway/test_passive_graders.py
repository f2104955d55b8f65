"""The bridge to graders that are called, on a real broker and over real HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from broker_setup.amqp.messages import Message
from broker_setup.settings import Settings
from broker_setup.topology import LEDGER, RESULTS_QUEUE, SUBMISSIONS_PARKED, submissions_queue
from broker_setup.wire.notices import failure_notice
from broker_setup.wire.properties import RETURN_HEADER
from broker_setup.wire.replies import Finding
from broker_setup.wire.reply_checker import ReplyChecker
from broker_setup.wire.results import decode_result
from gateway.passive import served_queue
from gateway.passive.grader import Failed, NotAsked, PassiveGrader, Replied
from tests.support.broker import VHost
from tests.support.foreign_messages import from_aio_pika
from tests.support.passive import (
    REPLY,
    FakeGrader,
    LmsSide,
    lms_side,
    running_bridge,
    running_grader,
    settings_for,
)
from tests.support.waiting import eventually

NOTICE = failure_notice(Settings().failure_message)
RED = submissions_queue("red")


@pytest.fixture
async def red() -> AsyncIterator[FakeGrader]:
    async with running_grader() as grader:
        yield grader


@pytest.fixture
async def blue() -> AsyncIterator[FakeGrader]:
    async with running_grader() as grader:
        yield grader


@pytest.fixture
def settings(vhost: VHost, red: FakeGrader, blue: FakeGrader) -> Settings:
    return settings_for(vhost.amqp_url, {"red": red.url, "blue": blue.url, "pulled": None, "spoken": "amqp"})


@pytest.fixture
async def lms(settings: Settings) -> AsyncIterator[LmsSide]:
    async with lms_side(settings) as side:
        yield side


async def all_settled(lms: LmsSide, settings: Settings) -> None:
    """Stop nothing, but see that no delivery is left: what is unacked comes back when the bridge has gone."""
    for queue in settings.passive_graders:
        assert await lms.waiting(submissions_queue(queue)) == 0


async def test_a_submission_is_posted_as_it_always_was_and_the_reply_goes_where_it_belongs_byte_for_byte(
    settings: Settings, lms: LmsSide, red: FakeGrader
) -> None:
    reply = ' {"msg": "<p>ä</p>",  "score":1.0,"correct":true}\n'.encode()
    red.says(reply)
    submission = await lms.submit("red", "wörk", files={"a.py": "http://files.example/1"})
    async with running_bridge(settings):
        result = await lms.take()
        assert result.body == reply
        assert result.correlation_id == submission.uuid
        assert result.headers[RETURN_HEADER] == submission.sealed_return
        assert result.user_id
    [asked] = red.asked
    assert set(asked) == {"xqueue_body", "xqueue_files"}
    assert asked["xqueue_body"] == "wörk"
    assert json.loads(asked["xqueue_files"]) == {"a.py": "http://files.example/1"}
    await all_settled(lms, settings)


async def test_only_queues_with_a_url_are_served(settings: Settings, lms: LmsSide, red: FakeGrader) -> None:
    for queue in ("pulled", "spoken", "red"):
        await lms.submit(queue)
    async with running_bridge(settings):
        await lms.take()
        assert await lms.waiting(submissions_queue("pulled")) == 1
        assert await lms.waiting(submissions_queue("spoken")) == 1
    assert len(red.asked) == 1


BAD: dict[str, web.Response | bytes] = {
    "an error": web.Response(status=500, body=REPLY),
    "a redirect": web.Response(status=302, headers={"Location": "/elsewhere"}),
    "another success": web.Response(status=201, body=REPLY),
    "no JSON": b"<html>",
    "nothing": b"",
    "JSON that the LMS would drop": b'{"correct": true}',
    "a score that is no number": b'{"correct": true, "score": "100", "msg": "Yes"}',
    "a packed reply": web.Response(headers={"Content-Encoding": "gzip"}, body=b"xx"),
}


@pytest.mark.parametrize("bad", BAD)
async def test_what_fails_is_tried_again_and_a_later_reply_counts(
    bad: str, settings: Settings, lms: LmsSide, red: FakeGrader
) -> None:
    red.says(BAD[bad], web.Response(status=503), REPLY)
    await lms.submit("red")
    async with running_bridge(settings):
        assert (await lms.take()).body == REPLY
    assert len(red.asked) == 3
    assert await lms.waiting(SUBMISSIONS_PARKED) == 0


async def test_a_refused_reply_that_comes_again_is_the_last(settings: Settings, lms: LmsSide, red: FakeGrader) -> None:
    red.says(BAD["a score that is no number"])
    await lms.submit("red")
    async with running_bridge(settings.model_copy(update={"grading_retry_delays": (0.05, 3600.0)})):
        parked = await lms.take(SUBMISSIONS_PARKED)
    why = "the grader was called 2 times: its reply: its score is not a number"
    assert parked.headers["xqueue-parked-reason"] == why
    assert len(red.asked) == 2


@pytest.mark.parametrize("bad", ["an error", "no JSON"])
async def test_what_fails_for_good_is_parked_with_the_reason_and_the_student_is_told_once(
    bad: str, settings: Settings, lms: LmsSide, red: FakeGrader
) -> None:
    red.says(BAD[bad])
    submission = await lms.submit("red")
    async with running_bridge(settings):
        parked = await lms.take(SUBMISSIONS_PARKED)
        assert parked.headers["xqueue-parked-queue"] == "red"
        why = {"an error": "answered 500", "no JSON": "its reply: it is not JSON"}[bad]
        assert parked.headers["xqueue-parked-reason"] == f"the grader was called 3 times: {why}"
        assert parked.correlation_id == submission.uuid
        # The ledger hears of it, so that it can be redriven.
        await eventually(lambda: lms.waiting(LEDGER))
    [notice] = await lms.take_all()
    assert (notice.body, notice.correlation_id) == (NOTICE, submission.uuid)
    assert len(red.asked) == 3
    await all_settled(lms, settings)


async def test_a_redriven_submission_has_a_result_of_its_own_or_no_second_notice(
    settings: Settings, lms: LmsSide, red: FakeGrader
) -> None:
    async with running_bridge(settings):
        await lms.submit("red", redriven=2)
        result = decode_result(from_aio_pika(await lms.take()))
        # It is no repeat of the notice that the student had: that is marked as one.
        assert (result.redriven, result.notice) == (0, False)
        red.says(b"no reply")
        await lms.submit("red", redriven=2)
        await lms.take(SUBMISSIONS_PARKED)
    assert await lms.take_all() == []


async def test_with_checks_off_any_body_is_a_reply(settings: Settings, lms: LmsSide, red: FakeGrader) -> None:
    red.says(b"<html>")
    await lms.submit("red")
    async with running_bridge(settings.model_copy(update={"validate_results": False})):
        assert (await lms.take()).body == b"<html>"


async def test_what_the_lms_does_not_look_at_is_not_checked(settings: Settings, lms: LmsSide, red: FakeGrader) -> None:
    red.says(b"anything")
    await lms.submit("red", url="http://lms.example/elsewhere")
    async with running_bridge(settings):
        assert (await lms.take()).body == b"anything"


async def test_a_grader_that_hangs_holds_up_no_other_queue_and_gets_no_more_than_its_share(
    settings: Settings, lms: LmsSide, red: FakeGrader
) -> None:
    released = asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        await released.wait()
        return web.Response(body=REPLY)

    red.answer = hang
    for number in range(10):
        await lms.submit("red", str(number))
    async with running_bridge(settings.model_copy(update={"grading_concurrency": 3, "grading_timeout": 60.0})):
        await eventually(lambda: red.under_way == 3)
        for number in range(30):
            await lms.submit("blue", str(number))
        for _ in range(30):
            await lms.take()
        assert await lms.waiting(RED) == 7
        released.set()
        for _ in range(10):
            await lms.take()
    assert red.most_under_way == 3
    assert len(red.asked) == 10


async def test_what_is_no_submission_is_parked_and_those_behind_it_flow(
    settings: Settings, lms: LmsSide, red: FakeGrader
) -> None:
    good = await lms.submit("red", "first")
    message = (await lms.take(RED)).body
    forged = Message(message, correlation_id=good.uuid, headers={RETURN_HEADER: "forged"})
    broken = Message(b"{", correlation_id=good.uuid, headers={RETURN_HEADER: good.sealed_return})
    nobody = Message(message, correlation_id=good.uuid)
    ours = Message(message, correlation_id="x", reply_to=RESULTS_QUEUE)
    half = Message(b'{"xqueue_body": "\\ud800"}', correlation_id=good.uuid, headers={RETURN_HEADER: "forged"})
    for bad in (forged, broken, nobody, ours, half):
        await lms.put("red", bad)
    await lms.submit("red", "last")
    async with running_bridge(settings):
        parked = [await lms.take(SUBMISSIONS_PARKED) for _ in range(5)]
        assert all(copy.headers["xqueue-parked-reason"] for copy in parked)
        results = [await lms.take() for _ in range(2)]
    # The student of the one whose address opens is told.
    assert {result.body for result in results} == {NOTICE, REPLY}
    assert [asked["xqueue_body"] for asked in red.asked] == ["last"]
    assert await lms.take_all() == []


async def test_a_result_that_nobody_waits_for_where_it_should_go_is_the_relays(
    settings: Settings, lms: LmsSide
) -> None:
    await lms.submit("red")
    submission = await lms.take(RED)
    elsewhere = Message(
        submission.body, correlation_id=submission.correlation_id, headers=submission.headers, reply_to="nowhere"
    )
    await lms.put("red", elsewhere)
    async with running_bridge(settings):
        assert (await lms.take()).body == REPLY


async def test_user_and_password_in_the_url_go_as_basic_auth_and_stay_out_of_the_log(
    vhost: VHost, red: FakeGrader, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str | None] = []

    async def gate(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.Response(status=403, body=b"the body of the grader")

    red.answer = gate
    settings = settings_for(vhost.amqp_url, {"red": red.url.replace("http://", "http://me:hunter2@")})
    caplog.set_level("INFO")
    async with lms_side(settings) as lms:
        await lms.submit("red", "the work of the student")
        async with running_bridge(settings):
            await lms.take(SUBMISSIONS_PARKED)
    assert seen == ["Basic bWU6aHVudGVyMg=="] * 3
    assert "answered 403" in caplog.text
    for secret in ("hunter2", "the body of", "the work of"):
        assert secret not in caplog.text


def with_options(settings: Settings, options: object, **others: object) -> Settings:
    """Make the same settings with QUEUE_OPTIONS."""
    url = settings.amqp_url.get_secret_value()
    return settings_for(url, settings.xqueues, queue_options=options, **others)


async def never(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    return web.Response()


async def test_a_grader_that_needs_longer_is_waited_for_where_its_queue_says_so(
    settings: Settings, lms: LmsSide, red: FakeGrader, blue: FakeGrader
) -> None:
    others_gave_up = asyncio.Event()

    async def after_all_others(_: web.Request) -> web.Response:
        await others_gave_up.wait()
        return web.Response(body=REPLY)

    red.answer = blue.answer = after_all_others
    own = {"red": {"grading_timeout": 120.0, "grading_retry_delays": ()}}
    await lms.submit("red")
    default = await lms.submit("blue")
    async with running_bridge(with_options(settings, own, grading_timeout=0.2)):
        # It has the default, and is called again before it counts as failed and its student is told.
        parked = await lms.take(SUBMISSIONS_PARKED, within=60)
        assert parked.correlation_id == default.uuid
        assert parked.headers["xqueue-parked-reason"] == "the grader was called 3 times: no whole answer within 0.2 s"
        assert len(red.asked) == 1
        assert (await lms.take(within=60)).body == NOTICE
        others_gave_up.set()
        assert (await lms.take(within=60)).body == REPLY
    assert len(red.asked) == 1


async def test_where_nobody_waits_for_a_second_try_the_first_is_the_last(
    settings: Settings, lms: LmsSide, red: FakeGrader
) -> None:
    red.answer = never
    once = {"red": {"grading_timeout": 0.2, "grading_retry_delays": ()}}
    await lms.submit("red")
    async with running_bridge(with_options(settings, once)):
        parked = await lms.take(SUBMISSIONS_PARKED, within=60)
        assert parked.headers["xqueue-parked-reason"] == "the grader was called 1 times: no whole answer within 0.2 s"
        assert (await lms.take(within=60)).body == NOTICE
    assert len(red.asked) == 1


async def test_what_the_bridges_machine_lacks_is_no_try_of_the_graders(
    settings: Settings, lms: LmsSide, red: FakeGrader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served_queue, "SHORT_PAUSE_SECONDS", 0.01)
    grade, short = PassiveGrader.grade, [NotAsked("too many open files")] * 10

    async def sometimes(grader: PassiveGrader, request: bytes, traceparent: str = "") -> Replied | Failed | NotAsked:
        return short.pop() if short else await grade(grader, request, traceparent)

    monkeypatch.setattr(PassiveGrader, "grade", sometimes)
    checked, lacking = ReplyChecker.check, [RuntimeError("can't start new thread"), MemoryError()]

    async def check(checker: ReplyChecker, url: str, reply: bytes, returns: int = 0) -> Finding:
        if lacking:
            raise lacking.pop()
        return await checked(checker, url, reply, returns)

    monkeypatch.setattr(ReplyChecker, "check", check)
    submission = await lms.submit("red")
    async with running_bridge(settings):
        assert (await lms.take(within=60)).correlation_id == submission.uuid
    assert not short
    assert not lacking
    assert await lms.waiting(SUBMISSIONS_PARKED) == 0
