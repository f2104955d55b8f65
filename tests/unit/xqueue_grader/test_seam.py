"""What a grader does with the leases that any transport hands over, and what it asks of them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.support.waiting import PATIENCE_SECONDS, eventually
from xqueue_grader import Answer, Grader, GraderBrokenError, Options, Submission, grader
from xqueue_grader.common.errors import BadMessageError, MessageTooLargeError
from xqueue_grader.settlement import Answered, Failed, GivenBack, Settlement
from xqueue_grader.transports.transport import Grading, Transport

REPLY = b'{"correct": true, "score": 1, "msg": "<p>Good job!</p>"}'


class HandedOver:
    """A lease that notes what becomes of it."""

    def __init__(self, name: str = "a", queue: str = "red", *, returns: int = 0, is_call: bool = False) -> None:
        self.name, self.queue, self.returns, self.is_call = name, queue, returns, is_call
        self.wrong: Exception | None = None
        self.unstorable: Exception | None = None
        self.replies: list[bytes] = []
        self.ends: list[Settlement] = []

    def read(self) -> Submission:
        if self.wrong:
            raise self.wrong
        return Submission("work", {}, 1, self.queue, 1, self.name)

    async def answer(self, reply: bytes) -> Settlement:
        if self.unstorable:
            raise self.unstorable
        self.replies.append(reply)
        return Answered()

    async def end(self, settlement: Settlement) -> None:
        self.ends.append(settlement)


class Hands:
    """A transport that hands over what it was given, and keeps the tasks."""

    def __init__(self, *leases: HandedOver) -> None:
        self.leases = leases
        self.tasks: list[asyncio.Task[None]] = []
        self.grading: Grading | None = None
        self.broken: Callable[[str], None] | None = None
        self.mistake: Exception | None = None
        self.stands = False

    @asynccontextmanager
    async def opened(self, broken: Callable[[str], None]) -> AsyncIterator[None]:
        self.broken, self.stands = broken, True
        yield
        self.stands = False

    async def take(self, grading: Grading) -> None:
        self.grading = grading
        for lease in self.leases:
            self.tasks.append(asyncio.create_task(grading.serve(lease)))
        if self.mistake:
            raise self.mistake
        await asyncio.Event().wait()


class Function:
    """A grading function that waits until it may go on."""

    def __init__(self, answer: Answer | Exception = REPLY, *, waits: bool = False) -> None:
        self.begun: list[str] = []
        self.may_end = asyncio.Event()
        self._answer = answer
        if not waits:
            self.may_end.set()

    async def grade(self, submission: Submission) -> Answer:
        self.begun.append(submission.uuid)
        await self.may_end.wait()
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Grader]:
    """Make a grader whose transport is the test's."""

    def make(hands: Hands, function: Function, **options: Any) -> Grader:
        transport: Transport = hands
        monkeypatch.setattr(grader, "transport_for", lambda *_: transport)
        return Grader("any://where", ["red", "blue"], function.grade, Options(**options))

    return make


Make = Callable[..., Grader]


@asynccontextmanager
async def running(grader: Grader) -> AsyncIterator[asyncio.Task[None]]:
    """Run it for as long as the block runs."""
    task = asyncio.create_task(grader.run())
    try:
        yield task
    finally:
        grader.stop()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.wait({task})


async def ended(*leases: HandedOver) -> list[Settlement]:
    await eventually(lambda: all(lease.ends for lease in leases))
    return [end for lease in leases for end in lease.ends]


async def test_what_is_graded_is_answered_and_then_ended(made: Make) -> None:
    lease = HandedOver()
    async with running(made(Hands(lease), Function())):
        assert await ended(lease) == [Answered()]
    assert lease.replies == [REPLY]


@pytest.mark.parametrize(
    ("returns", "wrong", "answer", "why"),
    [
        (0, None, ZeroDivisionError("x"), "the function failed: ZeroDivisionError('x')"),
        (0, BadMessageError("no uuid", b""), REPLY, "this is no submission: no uuid"),
        (20, None, REPLY, "it came back 20 times without an end: it may be what kills graders"),
    ],
    ids=["raises", "no submission", "poison"],
)
async def test_what_can_not_be_graded_has_failed_and_the_reason_says_why(
    made: Make, returns: int, wrong: Exception | None, answer: Answer | Exception, why: str
) -> None:
    lease = HandedOver(returns=returns)
    lease.wrong = wrong
    async with running(made(Hands(lease), Function(answer))):
        assert await ended(lease) == [Failed(why)]
    assert lease.replies == []


async def test_a_reply_that_is_too_large_to_be_stored_is_a_failure(made: Make) -> None:
    lease = HandedOver()
    lease.unstorable = MessageTooLargeError("too large")
    async with running(made(Hands(lease), Function())):
        assert await ended(lease) == [Failed("too large")]


async def test_a_lease_that_is_lost_ends_its_grading_and_no_other(made: Make) -> None:
    lost, kept = HandedOver("lost"), HandedOver("kept")
    hands, function = Hands(lost, kept), Function(waits=True)
    async with running(made(hands, function)):
        await eventually(lambda: len(function.begun) == 2)
        hands.tasks[0].cancel()
        assert await ended(lost) == [GivenBack()]
        function.may_end.set()
        assert await ended(kept) == [Answered()]
    assert lost.replies == []


async def test_of_a_queue_that_is_paused_what_has_not_begun_goes_back(made: Make) -> None:
    begun, waiting, other = HandedOver("begun"), HandedOver("waiting"), HandedOver("other", "blue")
    hands, function = Hands(begun, waiting, other), Function(waits=True)
    async with running(made(hands, function, at_once=1)):
        await eventually(lambda: function.begun)
        assert hands.grading
        hands.grading.give_back("red")
        assert await ended(waiting) == [GivenBack()]
        function.may_end.set()
        assert await ended(begun, other) == [Answered(), Answered()]
    assert function.begun == ["begun", "other"]


async def test_who_is_stopped_finishes_what_it_began_while_the_transport_stands(made: Make) -> None:
    begun, waiting = HandedOver("begun"), HandedOver("waiting")
    hands, function = Hands(begun, waiting), Function(waits=True)
    async with running(grader := made(hands, function, at_once=1)) as task:
        await eventually(lambda: function.begun)
        grader.stop()
        assert await ended(waiting) == [GivenBack()]
        assert hands.stands
        function.may_end.set()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await task
    assert (begun.ends, begun.replies) == ([Answered()], [REPLY])
    assert not hands.stands


async def test_what_is_not_finished_in_its_grace_goes_back(made: Make) -> None:
    lease, function = HandedOver(), Function(waits=True)
    async with running(grader := made(Hands(lease), function, stop_grace=0.01)):
        await eventually(lambda: function.begun)
        grader.stop()
        assert await ended(lease) == [GivenBack()]


async def test_the_author_hears_of_a_reply_that_no_lms_takes_and_it_goes_out_all_the_same(
    made: Make, caplog: pytest.LogCaptureFixture
) -> None:
    for_lms, call = HandedOver("for-lms"), HandedOver("call", is_call=True)
    with caplog.at_level(logging.WARNING):
        async with running(made(Hands(for_lms, call), Function(b"{}"))):
            assert await ended(for_lms, call) == [Answered(), Answered()]
    assert for_lms.replies == call.replies == [b"{}"]
    assert [message.partition(": ")[0] for message in caplog.messages] == ["submission for-lms"]


async def test_a_mistake_in_a_transport_is_raised_once_what_is_at_hand_has_ended(made: Make) -> None:
    lease = HandedOver()
    hands = Hands(lease)
    hands.mistake = ZeroDivisionError("ours")
    with pytest.raises(ZeroDivisionError, match="ours"):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await made(hands, Function()).run()
    assert len(lease.ends) == 1


async def test_a_transport_that_can_go_on_no_more_ends_the_grader_with_its_reason(made: Make) -> None:
    hands = Hands()
    task = asyncio.create_task(made(hands, Function()).run())
    await eventually(lambda: hands.grading)
    assert hands.broken
    hands.broken("the key was taken away")
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(GraderBrokenError, match="the key was taken away"):
            await task
