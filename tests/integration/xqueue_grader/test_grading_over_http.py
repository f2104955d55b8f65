"""A function grades what servers hand out by HTTP: this XQueue, the original, the queue within an LMS.

A sandbox plays them.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from tests.support.waiting import PATIENCE_SECONDS, eventually
from xqueue_grader import Answer, Grade, Grader, GradingError, Options, Submission, reply
from xqueue_grader.sandbox import Graded, Kind, Sandbox, Trouble

QUEUES = ("openedx", "other")


@pytest.fixture(params=list(Kind))
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with Sandbox(QUEUES, kind=request.param) as sandbox:
        yield sandbox


@pytest.fixture
def ours() -> Iterator[Sandbox]:
    with Sandbox(QUEUES) as sandbox:
        yield sandbox


@pytest.fixture
def original() -> Iterator[Sandbox]:
    with Sandbox(QUEUES, kind=Kind.ORIGINAL) as sandbox:
        yield sandbox


@asynccontextmanager
async def polling(url: str, grade: Grade, options: Options | None = None) -> AsyncIterator[Grader]:
    """Run a grader; it has been stopped when the block ends."""
    grader = Grader(url, QUEUES, grade, options)
    running = asyncio.create_task(grader.run())
    try:
        yield grader
    finally:
        grader.stop()
        await running


def echo(submission: Submission) -> Answer:
    return reply(correct=True, score=1, text=submission.student_response)


async def graded(sandbox: Sandbox, number: int) -> Graded:
    return await asyncio.to_thread(sandbox.wait, number, PATIENCE_SECONDS)


class Held:
    """A function that says what it begins, and waits until it is let go."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.go = threading.Event()

    def grade(self, submission: Submission) -> Answer:
        self.begun.append(submission.id)
        self.go.wait(PATIENCE_SECONDS)
        return echo(submission)


async def test_each_submission_of_each_queue_is_answered_once_by_every_kind_of_server(sandbox: Sandbox) -> None:
    numbers = [sandbox.submit(f"work {n}", queue=QUEUES[n % 2]) for n in range(8)]
    async with polling(sandbox.url, echo):
        results = [await graded(sandbox, number) for number in numbers]
    assert [b"work %d" % n in result.replies[0] for n, result in enumerate(results)] == [True] * 8
    assert {(len(result.replies), result.attempts) for result in results} == {(1, 1)}


@pytest.mark.parametrize("trouble", list(Trouble))
async def test_a_result_that_meets_trouble_is_handed_in_again_and_taken_once(
    sandbox: Sandbox, trouble: Trouble
) -> None:
    sandbox.trouble("put_result", trouble)
    number = sandbox.submit("work")
    async with polling(sandbox.url, echo):
        result = await graded(sandbox, number)
    assert (len(result.replies), result.attempts) == (1, 1)


async def test_a_session_that_ends_is_begun_anew(sandbox: Sandbox) -> None:
    async with polling(sandbox.url, echo):
        await graded(sandbox, sandbox.submit("before"))
        sandbox.end_sessions()
        await graded(sandbox, sandbox.submit("after"))


async def test_a_server_that_is_away_is_waited_for_with_a_result_at_hand(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    held = Held()
    number = sandbox.submit("work")
    async with polling(sandbox.url, held.grade):
        await eventually(lambda: held.begun)
        sandbox.stop()
        held.go.set()
        await eventually(lambda: "put_result" in caplog.text)
        sandbox.start()
        result = await graded(sandbox, number)
    assert len(result.replies) == 1


async def test_a_lease_runs_on_while_the_function_does() -> None:
    held = Held()
    with Sandbox(QUEUES, lease_seconds=1.5) as sandbox:
        number = sandbox.submit("work")
        async with polling(sandbox.url, held.grade):
            await eventually(lambda: held.begun)
            until = time.monotonic() + 3  # twice as long as it would run
            await eventually(lambda: time.monotonic() > until)
            held.go.set()
            result = await graded(sandbox, number)
    assert (result.attempts, held.begun) == (1, [number])


async def test_a_grader_that_is_stopped_gives_back_what_it_has_not_begun(ours: Sandbox) -> None:
    held = Held()
    numbers = [ours.submit(f"work {n}") for n in range(3)]
    async with polling(ours.url, held.grade, Options(at_once=1, prefetch=3)) as grader:
        await eventually(lambda: held.begun and ours.look(numbers[-1]).attempts)
        grader.stop()
        # Free at once, and not when the lease has run out.
        await eventually(lambda: ours.waiting() == 2)
        held.go.set()
    assert len(ours.look(numbers[0]).replies) == 1
    assert [ours.look(number).failures for number in numbers] == [0, 0, 0]


async def test_what_fails_is_said_to_have_failed_and_comes_back(ours: Sandbox) -> None:
    failing = iter([True, False])

    def fails_once(submission: Submission) -> Answer:
        if next(failing):
            raise GradingError("not this time")
        return echo(submission)

    number = ours.submit("work")
    async with polling(ours.url, fails_once):
        result = await graded(ours, number)
    assert (result.attempts, result.failures) == (2, 1)


async def test_a_reply_that_the_server_refuses_is_a_failure(ours: Sandbox) -> None:
    replies = iter([b"no JSON", b'{"correct": true, "score": 1, "msg": "x"}'])
    number = ours.submit("work")
    async with polling(ours.url, lambda _: next(replies)):
        result = await graded(ours, number)
    assert (result.attempts, result.failures) == (2, 1)


async def test_where_leases_can_not_be_kept_nothing_waits_in_the_grader(original: Sandbox) -> None:
    held = Held()
    numbers = [original.submit(f"work {n}", queue=QUEUES[n % 2]) for n in range(3)]
    async with polling(original.url, held.grade, Options(at_once=1)):
        await eventually(lambda: held.begun)
        until = time.monotonic() + 1.5  # longer than from poll to poll
        await eventually(lambda: time.monotonic() > until)
        assert sum(original.look(number).attempts for number in numbers) == 1
        held.go.set()
        results = [await graded(original, number) for number in numbers]
    assert [len(result.replies) for result in results] == [1, 1, 1]


async def test_a_result_that_comes_too_late_is_dropped_and_the_newer_one_counts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    held = Held()
    with Sandbox(QUEUES, kind=Kind.ORIGINAL, lease_seconds=0.5) as sandbox:
        number = sandbox.submit("work")
        async with polling(sandbox.url, held.grade, Options(at_once=2)):
            await eventually(lambda: len(held.begun) == 2)  # its lease ran out, and it came again
            held.go.set()
            result = await graded(sandbox, number)
            await eventually(lambda: "another grader has it" in caplog.text)
    assert len(result.replies) == 1


async def test_a_stop_waits_for_no_poll(ours: Sandbox) -> None:
    async with polling(ours.url, echo):
        await graded(ours, ours.submit("work"))
        began = time.monotonic()
    assert time.monotonic() - began < PATIENCE_SECONDS / 3  # a poll waits for 25 s at the server
    number = ours.submit("after")
    assert ours.look(number).attempts == 0


@pytest.mark.parametrize(
    ("queue", "password", "complaint"),
    [("elsewhere", "sandbox", "Queue 'elsewhere' not found"), ("openedx", "wrong", "Incorrect login credentials")],
)
async def test_what_must_be_mended_elsewhere_is_said_and_waited_for(
    ours: Sandbox, caplog: pytest.LogCaptureFixture, queue: str, password: str, complaint: str
) -> None:
    grader = Grader(ours.url.replace(":sandbox@", f":{password}@"), [queue], echo)
    running = asyncio.create_task(grader.run())
    try:
        await eventually(lambda: complaint in caplog.text)
        assert not running.done()
    finally:
        grader.stop()
        await running
