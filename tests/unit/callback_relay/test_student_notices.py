"""A student is told once for each parking, when it is time, and not where a result has come after all."""

import asyncio
from collections.abc import Callable
from time import thread_time
from typing import Any

import pytest
from yarl import URL

from broker_setup.amqp.messages import Message
from broker_setup.wire.notices import TOLD_BEFORE, failure_notice, notice_of
from broker_setup.wire.results import NO_TRIES, Result, decode_result
from callback_relay.callback import Callback
from callback_relay.job import Identity, Job
from callback_relay.lines import Lines
from callback_relay.outcome import Answered, NoAnswer, Outcome
from callback_relay.reason import Reason, Slug
from callback_relay.size import LARGE_FORM_BYTES, is_too_large
from callback_relay.student_notices import StudentNotices
from callback_relay.verdict import Tell
from tests.support.deliveries import delivered

UUID = "0" * 32
HOUR = 3600.0


class Broker:
    """Takes in what is published, and where."""

    def __init__(self) -> None:
        self.published: list[tuple[Message, str]] = []

    async def publish_copy(self, message: Message, *, exchange: str, routing_key: str) -> None:
        assert exchange == ("xqueue.parked" if routing_key.startswith("xqueue.notices.") else "xqueue.checked")
        self.published.append((message, routing_key))


def send(tell: Tell, **said: Any) -> tuple[Any, Broker]:
    broker: Any = Broker()
    notices = StudentNotices(broker, "Sorry.", lambda queue: HOUR if queue == "openedx" else 0.0)
    return asyncio.run(notices.send(Result(UUID, b"reply", "sealed", **said), tell, "openedx")), broker


def test_a_notice_is_stored_for_the_grace_of_its_queue() -> None:
    telling, broker = send(Tell.AFTER_GRACE)
    [(message, queue)] = broker.published
    assert queue == telling.queue == "xqueue.notices.1h"
    notice = decode_result(delivered(message))
    assert (notice.body, notice.notice, notice.sealed_return) == (failure_notice("Sorry."), True, "sealed")


def test_in_the_place_of_what_can_not_be_delivered_it_goes_at_once() -> None:
    telling, broker = send(Tell.NOW)
    assert [queue for _, queue in broker.published] == ["xqueue.results.checked"]
    assert telling.queue == ""


@pytest.mark.parametrize("said", [{"notice": True}, {"notice": True, "redriven": 1, "untold": True}])
def test_nobody_is_told_of_a_notice_that_is_parked(said: dict[str, Any]) -> None:
    telling, broker = send(Tell.AFTER_GRACE, **said)
    assert (telling, broker.published) == (None, [])


def test_who_is_never_to_be_told_is_not() -> None:
    assert send(Tell.NEVER)[0] is None


def test_what_was_redriven_and_is_parked_again_tells_a_student_who_was_not_told() -> None:
    telling, broker = send(Tell.AFTER_GRACE, redriven=1)
    assert (telling, broker.published) == (TOLD_BEFORE, [])
    telling, broker = send(Tell.AFTER_GRACE, redriven=1, untold=True)
    [(message, _)] = broker.published
    assert decode_result(delivered(message)).redriven == 1


def job(identity: Identity) -> Job:
    return Job(identity, "http://lms/1", "http://lms", "openedx", NO_TRIES, 0.0, 0.0)


NOTICE = Identity.of(notice_of(UUID, "sealed", "Sorry.", redriven=3))


@pytest.mark.parametrize("amendment", [0, 2])
def test_a_notice_is_dropped_once_the_lms_has_a_result_of_its_submission(amendment: int) -> None:
    lines: Lines[Job] = Lines()
    result = job(Identity(UUID, amendment, redriven=1))
    lines.join(result)
    lines.leave(result, delivered=True)
    assert lines.is_delivered(NOTICE)
    assert not lines.is_delivered(Identity.of(notice_of("1" * 32, "sealed", "Sorry.")))


def test_a_result_that_was_parked_is_no_reason_to_drop_the_notice_nor_a_notice_to_drop_a_result() -> None:
    lines: Lines[Job] = Lines()
    result, notice = job(Identity(UUID, 0, redriven=1)), job(NOTICE)
    lines.join(result)
    lines.leave(result)
    assert not lines.is_delivered(NOTICE)
    lines.join(notice)
    lines.leave(notice, delivered=True)
    assert not lines.is_delivered(result.identity)


def test_two_notices_of_one_submission_are_one_to_the_lms() -> None:
    lines: Lines[Job] = Lines()
    notice = job(NOTICE)
    lines.join(notice)
    lines.leave(notice, delivered=True)
    assert lines.is_delivered(Identity.of(notice_of(UUID, "sealed", "Sorry.")))


def test_what_was_answered_is_forgotten_in_the_end() -> None:
    lines: Lines[Job] = Lines(remembered=1)
    for number in range(2):
        result = job(Identity(f"{number}" * 32, 0, 0))
        lines.join(result)
        lines.leave(result, delivered=True)
    assert not lines.is_delivered(NOTICE)


LARGE = b"x" * LARGE_FORM_BYTES


@pytest.mark.parametrize(
    ("outcome", "body", "too_large"),
    [
        (Answered(413), LARGE, True),
        (Answered(400), LARGE, True),
        (Answered(200), LARGE, False),
        (Answered(500), LARGE, False),
        (Answered(404), LARGE, False),
        (NoAnswer(Reason(Slug.CUT_OFF, "cut off")), LARGE, False),
        # The site's, for everything: somebody will mend it.
        (Answered(413), b"small", False),
        (Answered(400), b"small", False),
    ],
)
def test_a_large_form_that_is_refused_for_its_size_is(outcome: Outcome, body: bytes, *, too_large: bool) -> None:
    assert is_too_large(outcome, Callback(URL("http://lms/"), b"{}", body)) == too_large


def test_a_form_is_as_large_as_what_is_sent_of_it() -> None:
    callback = Callback(URL("http://lms/"), b"{}", b"x &")
    size = len(callback.form())
    assert callback.has_more_than(size - 1)
    assert not callback.has_more_than(size)


@pytest.mark.unmeasured
def test_no_more_of_a_form_is_encoded_than_shows_that_it_is_large() -> None:
    callback = Callback(URL("http://lms/"), b"{}", bytes(range(256)) * 16 * 1024)

    def seconds(act: Callable[[], object]) -> float:
        start = thread_time()
        act()
        return thread_time() - start

    whole = min(seconds(callback.form) for _ in range(3))
    assert min(seconds(lambda: is_too_large(Answered(413), callback)) for _ in range(3)) < whole / 2
