"""What becomes of a poll whose caller hangs up: it leaves no lease behind."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from typing import Any, cast

import pytest
from starlette.requests import Request

from broker_setup.errors import BrokerUnavailableError
from broker_setup.process.beside import LARGE_BYTES
from broker_setup.wire.submissions import Submission
from gateway.http.departure import Departure
from gateway.http.polls import Poll, Polls, has_hung_up, take
from gateway.leasing.course_queue import CourseQueue, Fits
from gateway.leasing.handing_out import Handout
from tests.support.asgi import hung_up, staying

HANDOUT = Handout(Submission(uuid="f" * 32, queue="openedx", body="", sealed_return="sealed"), "key", 1.0)


class FakeQueue:
    """Hands out one submission, at once or never, or fails."""

    def __init__(self, outcome: list[Handout] | Exception | None) -> None:
        self._outcome = outcome
        self.asked: list[tuple[int, float]] = []
        self.was_cancelled = False
        self.taken_back: list[Handout] = []
        self.seconds = 0.0

    async def take(self, limit: int = 1, wait: float = 0.0, *, fits: Fits, grader: str) -> list[Handout]:
        assert fits(1)
        self.asked.append((limit, wait))
        await asyncio.sleep(self.seconds)
        if isinstance(self._outcome, Exception):
            raise self._outcome
        if self._outcome is None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.was_cancelled = True
                raise
        return self._outcome or []

    def take_back(self, handouts: list[Handout]) -> None:
        self.taken_back += handouts


async def poll(
    queue: FakeQueue, request: Request, wait: float = 5.0, limit: int = 1, departure: Departure | None = None
) -> Any:
    return await take(request, cast("CourseQueue", queue), wait, limit, departure or Departure())


async def test_a_caller_who_stays_gets_what_the_queue_hands_out() -> None:
    queue = FakeQueue([HANDOUT])
    assert await poll(queue, staying(), limit=20) == [HANDOUT]
    assert await poll(queue, staying(), wait=0) == [HANDOUT]
    assert queue.asked == [(20, 5.0), (1, 0.0)]
    assert queue.taken_back == []


async def test_a_caller_who_hangs_up_while_it_waits_ends_the_poll() -> None:
    queue = FakeQueue(None)
    assert await poll(queue, hung_up()) == []
    await asyncio.sleep(0)
    assert queue.was_cancelled


async def test_whoever_waits_at_a_gateway_that_stops_is_told_that_nothing_is_there_and_nobody_waits_after_that() -> (
    None
):
    queue, departure = FakeQueue(None), Departure()
    waiting = asyncio.create_task(poll(queue, staying(), departure=departure))
    while not queue.asked:
        await asyncio.sleep(0)
    departure.begin()
    await asyncio.sleep(0)
    assert not waiting.done()
    departure.end_waits()
    assert await waiting == []
    assert queue.was_cancelled
    assert queue.taken_back == []
    assert await poll(FakeQueue([HANDOUT]), staying(), departure=departure) == [HANDOUT]
    late = FakeQueue([])
    assert await poll(late, staying(), departure=departure) == []
    assert late.asked == [(1, 0.0)]


async def test_what_was_leased_in_the_moment_of_the_hang_up_is_taken_back() -> None:
    queue = FakeQueue([HANDOUT])
    assert await poll(queue, hung_up()) == []
    assert queue.taken_back == [HANDOUT]


async def test_a_failure_is_told_to_a_caller_who_stays_and_forgotten_with_one_who_has_gone() -> None:
    queue = FakeQueue(BrokerUnavailableError("away"))
    with pytest.raises(BrokerUnavailableError):
        await poll(queue, staying())
    assert await poll(queue, hung_up()) == []


async def test_what_was_leased_to_a_caller_who_did_not_want_to_wait_and_has_gone_is_taken_back() -> None:
    queue = FakeQueue([HANDOUT])
    queue.seconds = 0.05
    assert await poll(queue, hung_up(), wait=0) == []
    assert queue.taken_back == [HANDOUT]


@pytest.mark.parametrize("goes", [True, False])
async def test_what_was_leased_to_a_caller_who_goes_while_its_large_answer_is_written_is_taken_back(
    goes: bool,  # noqa: FBT001
) -> None:
    has_gone = threading.Event()

    async def receive() -> dict[str, Any]:
        if not has_gone.is_set():
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    def write(handouts: Sequence[Handout]) -> Iterator[str]:
        if goes:
            has_gone.set()
        yield str(len(handouts))

    submission = Submission(uuid="f" * 32, queue="openedx", body="x" * (LARGE_BYTES + 1), sealed_return="sealed")
    handouts = [Handout(submission, "key", 1.0)]
    queue = FakeQueue(handouts)
    request = Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}, receive)
    answer = await Polls({}, 60.0, Departure()).answer(
        request, Poll({}, cast("CourseQueue", queue), 0.0), handouts, write
    )
    assert answer.headers["content-length"] == str(len('{"return_code": 0, "content": 1}'))
    assert queue.taken_back == (handouts if goes else [])


async def test_whether_a_caller_has_gone_is_known_without_a_wait_and_leaves_nothing_behind() -> None:
    came, asked = asyncio.Event(), 0

    async def receive() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        await came.wait()
        came.clear()
        return messages.pop(0)

    messages: list[dict[str, Any]] = [{"type": "http.request", "body": b""}, {"type": "http.disconnect"}]
    request = Request({"type": "http", "method": "GET", "headers": []}, receive)
    assert not has_hung_up(request)
    came.set()
    assert not has_hung_up(request)
    assert (len(messages), asked) == (1, 3)
    came.set()
    assert has_hung_up(request)
    assert not came._waiters
