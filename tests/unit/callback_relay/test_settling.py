"""What the relay writes of a result: into its copy on a rung, into the log, into the ledger."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from broker_setup.amqp.messages import Message
from broker_setup.errors import BrokerUnavailableError, MessageTooLargeError
from broker_setup.ledger.events import AnyEvent, Discarded, Undeliverable
from broker_setup.link import settling as link_settling
from broker_setup.wire.properties import MAX_MESSAGE_BYTES
from broker_setup.wire.results import NO_TRIES, Result, Tries, decode_result, encode_result
from broker_setup.wire.waits import WAITS_PREFIX, read_wait, waits_headers
from callback_relay.endings import level_of
from callback_relay.job import Identity, Job
from callback_relay.metrics import Metrics
from callback_relay.reason import Reason, Slug
from callback_relay.schedule import BEHIND, SLOW
from callback_relay.settling import MAX_REASON, About, Settling
from callback_relay.student_notices import StudentNotices
from callback_relay.verdict import Delivered, Outdated, Park, Repeat, Retry, Verdict
from tests.support.deliveries import delivered

UUID = "0" * 32
ENDLESS = Reason(Slug.MISTAKE, "why? " * 20_000)


class Channel:
    """Takes in acks."""

    is_closed = False

    def __init__(self) -> None:
        self.acked: list[int] = []
        self.rejected: list[int] = []

    def ack(self, tag: int, **_: Any) -> None:
        self.acked.append(tag)

    def reject(self, tag: int) -> None:
        self.rejected.append(tag)


class Broker:
    """Takes in what is published and noted."""

    def __init__(self) -> None:
        self.events: list[AnyEvent] = []
        self.published: list[Message] = []

    async def publish_copy(self, message: Message, **_: object) -> None:
        self.published.append(message)

    def note(self, event: AnyEvent) -> None:
        self.events.append(event)


async def test_what_is_larger_than_any_message_of_ours_goes_to_the_parked_ones_without_a_copy() -> None:
    broker, message = Broker(), a_result()
    message.body = bytes(MAX_MESSAGE_BYTES + 1)
    await settling(broker).settle(message, Park(ENDLESS), About())
    assert (message.channel.acked, message.channel.rejected, broker.published) == ([], [1], [])
    assert [type(event) for event in broker.events] == [Undeliverable]


@pytest.mark.parametrize("verdict", [Park(ENDLESS), Retry(5, NO_TRIES, ENDLESS)], ids=["parked", "tried again"])
async def test_what_the_broker_takes_no_copy_of_goes_there_too_and_does_not_come_again(verdict: Verdict) -> None:
    class Small(Broker):
        async def publish_copy(self, message: Message, **_: object) -> None:
            raise MessageTooLargeError("more than the 1000 bytes that the broker takes")

    broker, message = Small(), a_result()
    await settling(broker).settle(message, verdict, About())
    assert (message.channel.acked, message.channel.rejected) == ([], [1])
    assert [event.reason for event in broker.events if isinstance(event, Undeliverable)] == [
        "no copy can be stored: more than the 1000 bytes that the broker takes"
    ]


@pytest.mark.parametrize("verdict", [Park(ENDLESS), Retry(5, NO_TRIES, ENDLESS)], ids=["parked", "tried again"])
async def test_an_endless_reason_is_cut_in_the_log_and_in_the_ledger(
    verdict: Verdict, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    broker = Broker()
    message = a_result()
    await settling(broker).settle(message, verdict, About("http://lms"))
    assert message.channel.acked == [1]
    [line] = caplog.messages
    assert "http://lms: " in line
    assert len(line) < MAX_REASON + 150
    noted = [event.reason for event in broker.events if isinstance(event, Undeliverable)]
    assert noted == ([ENDLESS.text[:MAX_REASON]] if isinstance(verdict, Park) else [])


@pytest.mark.parametrize(
    "verdict", [Delivered(), Retry(5, NO_TRIES, ENDLESS), Park(ENDLESS)], ids=["delivered", "tried again", "parked"]
)
async def test_a_result_is_let_go_once_the_ledger_has_its_graded(verdict: Verdict) -> None:
    broker, message = Broker(), a_result()
    graded: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    settled = asyncio.create_task(settling(broker).settle(message, verdict, About(), graded=graded))
    for _ in range(10):
        await asyncio.sleep(0)
    assert (message.channel.acked, broker.published) == ([], [])
    graded.set_result(None)
    await settled
    assert message.channel.acked == [1]


async def test_a_graded_that_could_not_be_stored_holds_up_no_result() -> None:
    message = a_result()
    graded: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    graded.set_exception(BrokerUnavailableError("the ledger is away"))
    await settling(Broker()).settle(message, Delivered(), About(), graded=graded)
    assert message.channel.acked == [1]


@pytest.mark.parametrize(
    ("tries", "comes_back", "reason", "level"),
    [
        (NO_TRIES, False, BEHIND, logging.INFO),
        (NO_TRIES, True, BEHIND, logging.DEBUG),
        (Tries(made=1, waits=1, since=1), False, BEHIND, logging.DEBUG),
        (NO_TRIES, False, SLOW, logging.DEBUG),
    ],
    ids=["new", "back from a rung", "tried before", "waits for its slow LMS"],
)
def test_a_result_that_waits_behind_another_is_told_of_once(
    tries: Tries, *, comes_back: bool, reason: Reason, level: int
) -> None:
    job = Job(Identity(UUID, 0, 0), "http://lms/1", "http://lms", "openedx", tries, 0.0, 0.0)
    job.comes_back = comes_back
    assert level_of(job, Retry(5, tries, reason)) == level


def test_a_repeat_by_a_grader_which_may_send_any_number_is_told_of_in_detail_alone() -> None:
    job = Job(Identity(UUID, 0, 0), "http://lms/1", "http://lms", "openedx", NO_TRIES, 0.0, 0.0)
    assert level_of(job, Repeat()) == logging.INFO
    job.unread = True
    assert level_of(job, Repeat()) == logging.DEBUG


async def test_a_copy_on_a_rung_says_that_the_ledger_has_heard_of_the_result() -> None:
    """It comes back untried from a rung where it only stood behind another: it is noted once all the same."""
    broker, message = Broker(), a_result()
    assert not decode_result(message).recorded
    await settling(broker).settle(message, Retry(5, NO_TRIES, Reason(Slug.BEHIND, "another is before it")), About())
    [copy] = map(decode_result, map(delivered, broker.published))
    assert copy.recorded
    assert copy.tries == NO_TRIES


async def test_a_copy_on_a_rung_says_for_operators_whose_it_is_and_why_and_until_when() -> None:
    broker, before = Broker(), datetime.now(UTC)
    about = About("http://lms", "openedx")
    await settling(broker).settle(a_result(), Retry(5, NO_TRIES, Reason(Slug.TIMEOUT, "no answer within 5 s")), about)
    wait = read_wait(broker.published[0].headers)
    assert (wait.origin, wait.queue, wait.reason) == ("http://lms", "openedx", "no answer within 5 s")
    assert wait.until
    assert timedelta(seconds=4.9) < wait.until - before < timedelta(seconds=60)


async def test_what_is_given_up_for_a_newer_submissions_result_is_said_in_log_and_ledger(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    broker, message = Broker(), a_result()
    await settling(broker).settle(
        message, Outdated(Reason(Slug.OUTDATED, "answered 500; a newer one")), About("http://lms")
    )
    assert message.channel.acked == [1]
    assert broker.published == []
    assert [(type(event), event.reason) for event in broker.events if isinstance(event, Discarded)] == [
        (Discarded, "answered 500; a newer one")
    ]
    assert caplog.messages == [f"submission {UUID}: http://lms: given up: answered 500; a newer one"]


async def test_what_a_rung_said_of_a_result_is_not_parked_with_it() -> None:
    broker, message = Broker(), a_result()
    message.headers |= waits_headers("http://lms", "openedx", "no answer", 0.0)
    await settling(broker).settle(message, Park(Reason(Slug.NOT_ALLOWED, "not allowed")), About())
    assert not [name for name in broker.published[0].headers if name.startswith(WAITS_PREFIX)]


@pytest.mark.parametrize(
    "verdict", [Retry(5, NO_TRIES, Reason(Slug.TIMEOUT, "no answer")), Park(Reason(Slug.NOT_ALLOWED, "not allowed"))]
)
async def test_what_can_not_be_copied_for_no_known_reason_is_moved_to_the_parked_ones_by_the_broker(
    verdict: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_settling, "PAUSE_SECONDS", 0.0)
    broker, message, tries = Broker(), a_result(), []

    async def fail(copy: Message, **_: object) -> None:
        tries.append(copy)
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(broker, "publish_copy", fail)
    await settling(broker).settle(message, verdict, About())
    assert (message.channel.acked, message.channel.rejected) == ([], [1])
    assert len(tries) == link_settling.TRIES_DESPITE_MISTAKES
    [event] = broker.events
    assert isinstance(event, Undeliverable)
    assert event.reason == "no copy can be stored: unexpected error: RuntimeError"


def a_result() -> Any:
    sent = encode_result(Result(UUID, b"reply", "sealed"))
    message = delivered(sent)
    message.channel, message.delivery_tag = cast("Any", Channel()), 1
    return message


def settling(broker: Any) -> Settling:
    reading: Any = None
    notices = StudentNotices(broker, "no result", lambda _: 0.0)
    return Settling(broker, broker, Metrics(lambda: reading), notices, lambda _: True)
