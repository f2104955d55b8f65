"""What an upstream answers may be anything: it costs a bounded time and memory, and leads nowhere else."""

import json
from collections.abc import Callable

import aiohttp
import pytest

from broker_setup.settings import Settings
from broker_setup.upstream.dialect import Said, UpstreamError, read_taken
from broker_setup.upstream.session import LoginRefusedError
from broker_setup.upstream.upstreams import MOST_ANSWER, Upstreams
from tests.support.lms import Answer, Callback, FakeLMS, running_lms

DONE = json.dumps({"return_code": 0, "content": ""}).encode()
Answers = Callable[[Callback], Answer]


def settings_for(lms: FakeLMS) -> Settings:
    return Settings(
        xqueues={"openedx": None},
        upstreams={"lms": {"url": f"{lms.origin}/xqueue", "user": "watcher", "queues": {"there": "openedx"}}},
        upstream_passwords={"lms": "its password"},
        requests_timeout=30.0,
    )


def but_for_logins(answer: Answer) -> Answers:
    return lambda asked: Answer(200, body=DONE) if "/login/" in asked.path else answer


async def ask(lms: FakeLMS) -> Said:
    async with Upstreams(settings_for(lms)).sessions(1) as sessions:
        said = await sessions["lms"].get("get_submission/", {"queue_name": "there"})
        assert read_taken(said, sessions["lms"].url) is None
        return said


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, body=b"x" * (MOST_ANSWER + 1)),
        Answer(200, body=b"[" * 1_000_000),
        Answer(200, body=b"\xff" * 1000),
        Answer(204),
        Answer(302, headers={"Location": "/elsewhere"}),
        Answer(200, headers={"Content-Encoding": "gzip"}, body=b"\x1f\x8b no gzip"),
        Answer(200, headers={"X": "x" * 100_000}, body=DONE),
    ],
    ids=["too long", "deep", "no text", "nothing", "elsewhere", "packed", "a long head"],
)
async def test_whatever_it_is_nothing_is_taken_and_nobody_else_is_asked(answer: Answer) -> None:
    async with running_lms() as lms:
        lms.answer = but_for_logins(answer)
        with pytest.raises((UpstreamError, aiohttp.ClientError)):
            await ask(lms)
    assert {callback.path.partition("?")[0] for callback in lms.received} == {
        "/xqueue/login/",
        "/xqueue/get_submission/",
    }


async def test_what_it_would_have_us_remember_is_bounded() -> None:
    async with running_lms() as lms:
        empty = Answer(200, body=json.dumps({"return_code": 1, "content": "Queue 'there' is empty"}).encode())
        cookies = Answer(200, headers={"Set-Cookie": "a=b"}, body=DONE)
        large = Answer(200, headers={"Set-Cookie": f"big={'x' * 5000}"}, body=DONE)
        answers = iter([large, cookies, empty])
        lms.answer = lambda _: next(answers)
        await ask(lms)
    assert lms.received[-1].headers["Cookie"] == "a=b"


async def test_a_login_that_leads_nowhere_is_no_loop() -> None:
    async with running_lms() as lms:
        lms.answer = lambda asked: Answer(200, body=DONE) if "/login/" in asked.path else Answer(403, body=b"{}")
        with pytest.raises(LoginRefusedError):
            await ask(lms)
    assert len(lms.received) == 6  # twice a page, a login and the call
