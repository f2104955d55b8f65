"""A grader whose queue is paused finishes what it began, gives back the rest, and begins again by itself."""

import asyncio

import pytest

from broker_setup.topology import submissions_queue
from tests.support.grading import QUEUE, Course, grading
from tests.support.pausing import pause, resume
from tests.support.waiting import eventually
from xqueue_grader import Answer, Options, Submission
from xqueue_grader.common.link import steady_consumer


async def test_a_paused_queue_is_left_alone_until_it_goes_on(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady_consumer, "LOOK_SECONDS", 0.2)
    begun: list[str] = []
    may_end = asyncio.Event()

    async def grade(submission: Submission) -> Answer:
        begun.append(submission.uuid)
        await may_end.wait()
        return "{}"

    options = Options(at_once=1, prefetch=2)
    async with grading(course.amqp_url, grade, options, (QUEUE, "other")):
        uuids = [await course.submit() for _ in range(3)]
        await eventually(lambda: begun and course.ready_is(1))
        await pause(course.amqp_url, QUEUE)
        # It was delivered, and had not begun.
        await eventually(lambda: course.ready_is(2))
        may_end.set()
        assert (await course.take()).correlation_id == begun[0]
        elsewhere = await course.submit(queue="other")
        assert (await course.take()).correlation_id == elsewhere, "other queues are graded meanwhile"
        assert await course.ready_is(2)
        await resume(course.amqp_url, QUEUE)
        rest = {(await course.take()).correlation_id for _ in range(2)}
    assert rest == set(uuids) - {begun[0]}
    assert await course.waiting(submissions_queue(QUEUE)) == 0


async def test_a_grader_that_starts_takes_nothing_from_a_paused_queue(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steady_consumer, "LOOK_SECONDS", 0.2)
    begun: list[str] = []

    def grade(submission: Submission) -> Answer:
        begun.append(submission.queue)
        return "{}"

    await pause(course.amqp_url, QUEUE)
    await course.submit()
    async with grading(course.amqp_url, grade, queues=(QUEUE, "other")):
        await course.submit(queue="other")
        await course.take()
        assert begun == ["other"]
        await resume(course.amqp_url, QUEUE)
        await course.take()
    assert begun == ["other", QUEUE]
