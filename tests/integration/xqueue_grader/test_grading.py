"""A grading function becomes a grader: what it returns is answered, what it can't do is rejected, nothing is lost."""

import asyncio
import json
import logging

import pytest
from prometheus_client import CollectorRegistry

from broker_setup.amqp.messages import PERSISTENT, Message
from broker_setup.link.broker_url import user_of
from broker_setup.topology import RESULTS_EXCHANGE, RESULTS_PARKED, RESULTS_QUEUE
from broker_setup.wire.properties import RETURN_HEADER
from tests.support.grade_functions import right, typed, wayward
from tests.support.grading import QUEUE, Course, grading
from tests.support.metrics import shown_by
from tests.support.waiting import eventually
from xqueue_grader import Answer, Options, Submission, Workers
from xqueue_grader.metrics import GraderMetrics

PROCESSES = Options(at_once=2, workers=Workers.PROCESSES)


async def right_on_the_loop(submission: Submission) -> Answer:
    return right(submission)


async def wayward_on_the_loop(submission: Submission) -> Answer:
    if submission.body == "hang":
        await asyncio.sleep(60)
    return wayward(submission)


@pytest.mark.parametrize(
    ("grade", "options"),
    [(right, Options()), (right, PROCESSES), (right_on_the_loop, Options())],
    ids=["threads", "processes", "coroutine"],
)
async def test_a_submission_is_answered_with_what_the_relay_needs(
    course: Course, grade: object, options: Options, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    uuid = await course.submit("print(42)")
    async with grading(course.amqp_url, grade, options):  # type: ignore[arg-type]
        result = await course.take()
    assert json.loads(result.body) == {"correct": True, "score": 1, "msg": "<pre>print(42)</pre>"}
    assert result.correlation_id == uuid
    assert course.opens(str(result.headers[RETURN_HEADER]), uuid)
    assert result.user_id == user_of(course.amqp_url)
    assert (result.exchange, result.routing_key) == (RESULTS_EXCHANGE, RESULTS_QUEUE)
    assert result.delivery_mode == PERSISTENT
    assert await course.is_settled()
    assert f"submission {uuid}: graded" in caplog.messages


async def test_the_function_sees_the_submission_and_not_where_its_reply_goes(course: Course) -> None:
    seen: list[Submission] = []

    def grade(submission: Submission) -> Answer:
        seen.append(submission)
        return "{}"

    uuid = await course.submit("work")
    async with grading(course.amqp_url, grade):
        result = await course.take()
    [submission] = seen
    number = int(uuid, 16) & (2**53 - 1)
    assert submission == Submission("work", {"a.py": "http://files/a.py"}, number, QUEUE, 1, uuid)
    assert str(result.headers[RETURN_HEADER]) not in repr(submission)


async def test_several_queues_are_graded_at_once(course: Course) -> None:
    uuids = {await course.submit(queue=queue) for queue in (QUEUE, "other")}
    async with grading(course.amqp_url, right, queues=(QUEUE, "other")):
        assert {(await course.take()).correlation_id for _ in uuids} == uuids


@pytest.mark.parametrize("what", ["fail", "leave", "nothing"])
async def test_a_function_that_fails_rejects_the_submission_and_grades_the_next(
    course: Course, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        async with grading(course.amqp_url, wayward, Options(at_once=1)):
            failed, fine = await course.submit(what), await course.submit()
            assert (await course.take_failed()).correlation_id == failed
            assert (await course.take()).correlation_id == fine
    assert f"submission {failed}: rejected: " in caplog.text


@pytest.mark.parametrize("options", [Options(), PROCESSES], ids=["threads", "processes"])
async def test_the_traceback_of_a_failure_is_logged_at_the_first_attempt_only(
    course: Course, options: Options, caplog: pytest.LogCaptureFixture
) -> None:
    async with grading(course.amqp_url, wayward, options):
        failed = [await course.submit("fail", attempt=attempt) for attempt in (1, 2)]
        for _ in failed:
            await course.take_failed()
    rejected = "submission {}: rejected: the function failed: KeyError('no such test')"
    lines = [record.getMessage() for record in caplog.records]
    assert {rejected.format(uuid) for uuid in failed} <= set(lines)
    [traced] = [line for line in lines if "Traceback" in line]
    assert traced.startswith(f"submission {failed[0]}: the function failed\n")
    assert 'raise KeyError("no such test")' in traced


@pytest.mark.parametrize("options", [Options(), PROCESSES], ids=["threads", "processes"])
async def test_a_body_that_is_no_json_is_rejected_in_a_line(
    course: Course, options: Options, caplog: pytest.LogCaptureFixture
) -> None:
    async with grading(course.amqp_url, typed, options):
        uuid = await course.submit("no JSON")
        await course.take_failed()
    said = f"submission {uuid}: rejected: xqueue_body is not JSON with a text 'student_response'"
    assert said in [record.getMessage() for record in caplog.records]
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("what", ["fail", "leave", "nothing", "die", "hang"])
async def test_a_worker_process_that_fails_dies_or_hangs_takes_nothing_else_along(course: Course, what: str) -> None:
    options = Options(at_once=2, workers=Workers.PROCESSES, timeout=1.5)
    async with grading(course.amqp_url, wayward, options):
        failed, *fine = [await course.submit(what), *[await course.submit() for _ in range(6)]]
        assert (await course.take_failed()).correlation_id == failed
        assert {(await course.take()).correlation_id for _ in fine} == set(fine)
    assert await course.is_settled()


@pytest.mark.parametrize("grade", [wayward, wayward_on_the_loop], ids=["thread", "coroutine"])
async def test_a_function_that_takes_too_long_rejects_the_submission(course: Course, grade: object) -> None:
    async with grading(course.amqp_url, grade, Options(at_once=2, timeout=1.5)):  # type: ignore[arg-type]
        slow, fine = await course.submit("hang"), await course.submit()
        assert (await course.take_failed()).correlation_id == slow
        assert (await course.take()).correlation_id == fine


@pytest.mark.parametrize(
    "message",
    [
        Message(b"no submission"),
        Message(b'{"xqueue_body": "nobody to answer"}'),
        Message(b'{"xqueue_body": "no uuid"}', headers={RETURN_HEADER: "sealed"}),
        Message(b'{"xqueue_body": 7}', reply_to="somebody"),
        Message(b'{"xqueue_body": "for a queue of ours"}', reply_to=RESULTS_PARKED, correlation_id="a call"),
    ],
)
async def test_what_is_no_submission_is_rejected(course: Course, message: Message) -> None:
    async with grading(course.amqp_url, right):
        await course.put(message)
        assert (await course.take_failed()).body == message.body


async def test_a_call_is_answered_in_the_callers_queue(course: Course) -> None:
    mine = await course.reply_queue()
    call = Message(b'{"xqueue_body": "2 + 2"}', reply_to=mine, correlation_id="my call")
    async with grading(course.amqp_url, right):
        await course.put(call)
        answer = await course.take(mine)
    assert (answer.correlation_id, json.loads(answer.body)["msg"]) == ("my call", "<pre>2 + 2</pre>")
    assert await course.waiting() == 0


async def test_a_call_whose_caller_has_gone_is_done(course: Course) -> None:
    async with grading(course.amqp_url, right):
        await course.put(Message(b'{"xqueue_body": "2 + 2"}', reply_to="gone", correlation_id="my call"))
        last = await course.submit()
        assert (await course.take()).correlation_id == last
    assert await course.is_settled()


async def test_a_reply_address_that_nobody_has_is_a_failure_and_not_a_loop(course: Course) -> None:
    async with grading(course.amqp_url, right):
        body = b'{"xqueue_body": ""}'
        astray = Message(body, reply_to="nowhere", correlation_id="0" * 32, headers={RETURN_HEADER: "sealed"})
        await course.put(astray)
        assert (await course.take_failed()).correlation_id == "0" * 32


async def test_what_came_back_again_and_again_is_rejected_ungraded(course: Course) -> None:
    uuid = await course.submit()
    for _ in range(3):
        await course.let_a_grader_die()
    async with grading(course.amqp_url, right, Options(returns=3)):
        assert (await course.take_failed()).correlation_id == uuid
    assert await course.waiting() == 0


async def test_who_looks_on_is_told_of_what_is_graded_and_of_what_fails(course: Course) -> None:
    registry = CollectorRegistry()
    await course.submit("print(42)")
    await course.submit("fail")
    async with grading(course.amqp_url, wayward, Options(watch=GraderMetrics(registry))):
        await course.take()
        await eventually(lambda: ended(registry) == {"graded": 1, "failed": 1, "given_back": 0}, 60)
    assert shown_by(registry)["xqueue_grader_under_way"] == {(QUEUE,): 0}


def ended(registry: CollectorRegistry) -> dict[str, float]:
    return {end: number for (_, end), number in shown_by(registry)["xqueue_grader_submissions_total"].items()}
