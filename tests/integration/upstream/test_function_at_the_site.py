"""A function of xqueue-grader polls the real edx-submissions itself: each submission is scored there once."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

import pytest

from tests.support.lms_site import PASSWORD, WATCHER, LmsSite
from tests.support.waiting import eventually
from xqueue_grader import Answer, Grader, Options, Submission, reply

SCORED = ("retired", [70])


def grade(submission: Submission) -> Answer:
    assert submission.student_response.startswith("print(")
    return reply(correct=True, score=0.7, text="Good job!")


@asynccontextmanager
async def polling(site: LmsSite, queue: str) -> AsyncIterator[None]:
    url = site.url.replace("http://", f"http://{WATCHER}:{quote(PASSWORD, safe='')}@")
    grader = Grader(url, [queue], grade, Options(at_once=2))
    running = asyncio.create_task(grader.run())
    try:
        yield
    finally:
        grader.stop()
        await running


async def all_scored(site: LmsSite, ids: list[int]) -> None:
    async def are_scored() -> bool:
        return await asyncio.to_thread(site.became, ids) == [SCORED] * len(ids)

    await eventually(are_scored)


async def test_what_students_hand_in_there_is_scored_there_once(site: LmsSite, there: str) -> None:
    ids = site.submit(*[f"print({number})" for number in range(6)], queue=there, points=100)
    async with polling(site, there):
        await all_scored(site, ids)
        site.end_sessions()
        later = site.submit("print(6)", queue=there, points=100)
        await all_scored(site, later)


async def test_a_site_that_is_away_is_waited_for(site: LmsSite, there: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    site.answer_all(503)
    ids = site.submit("print(1)", queue=there, points=100)
    async with polling(site, there):
        await eventually(lambda: "it answers 503" in caplog.text)
        site.answer_all(0)
        await all_scored(site, ids)
