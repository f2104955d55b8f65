"""What becomes of a submission that an AMQP grader rejected: tried again, parked, or let go."""

import json
from typing import Any

import pytest

from broker_setup.amqp.messages import Arrival, Message
from broker_setup.errors import BrokerUnavailableError, UnroutableError
from broker_setup.ledger.events import AnyEvent, Superseded
from broker_setup.link import settling
from broker_setup.link.connection import Link
from broker_setup.topology import PARKED_EXCHANGE, SUBMISSIONS_EXCHANGE
from broker_setup.wire.parked import PARKED_QUEUE_HEADER, PARKED_REASON_HEADER
from broker_setup.wire.properties import ATTEMPT_HEADER
from broker_setup.wire.reply_checker import DEADLY, DeadlyMessageError, ReplyChecker
from broker_setup.wire.return_address import ReturnAddress
from broker_setup.wire.submissions import Submission, encode_submission
from gateway.leasing.failures import Failures, course_queue_of
from tests.support.deliveries import delivery
from tests.support.leasing import MAX_ATTEMPTS, QUEUE, Scene, turns
from tests.support.ledger_events import URL, leased, parked, released, submitted, uuid_of


def death(queue: str = QUEUE) -> dict[str, Any]:
    return {"x-death": [{"queue": f"xqueue.submissions.{queue}", "reason": "rejected", "count": 1}]}


class Failed(Scene):
    """The failed submissions beside a course queue, on the same ledger."""

    def __init__(self) -> None:
        super().__init__()
        self.checker = ReplyChecker()
        self.failures = Failures(
            Link("amqp://nowhere", "no link"),
            publisher=self.publisher.as_publisher,
            ledger=self.ledger.as_ledger,
            parking=self.parking,
            checker=self.checker,
            max_attempts=MAX_ATTEMPTS,
            clock=lambda: self.now,
            steady=lambda: self.now,
        )

    async def reject(self, number: int = 1, *, attempt: int = 1, queue: str = QUEUE, **spoilt: Any) -> str:
        """Let a submission arrive that a grader rejected; say how its delivery ends."""
        uuid = uuid_of(number).hex()
        sealed = self.sealer.seal(ReturnAddress(uuid, json.dumps({"lms_callback_url": URL, "queue_name": queue})))
        message = encode_submission(Submission(uuid, queue, f"work {number}", sealed, attempt=attempt))
        self.tag += 1
        values: dict[str, Any] = {
            "body": message.body,
            "correlation_id": uuid,
            "headers": dict(message.headers) | death(queue) | spoilt.pop("more_headers", {}),
            "channel": self.channel,
            "delivery_tag": self.tag,
        }
        self.failures._received(Arrival(**values | spoilt))
        await turns(30)
        [how] = [how for how, tag in self.channel.sent if tag == self.tag]
        return how

    def again(self, queue: str = QUEUE) -> list[Message]:
        """What went back into its queue."""
        return self.publisher.to(SUBMISSIONS_EXCHANGE, queue)


@pytest.fixture
def failed(monkeypatch: pytest.MonkeyPatch) -> Failed:
    monkeypatch.setattr(settling, "PAUSE_SECONDS", 0.0)
    return Failed()


def attempts_of(messages: list[Message]) -> list[object]:
    return [message.headers[ATTEMPT_HEADER] for message in messages]


async def test_a_failed_attempt_goes_back_as_the_next_one(failed: Failed) -> None:
    assert await failed.reject(attempt=MAX_ATTEMPTS - 1) == "ack"
    assert attempts_of(failed.again()) == [MAX_ATTEMPTS]
    assert failed.publisher.parked == []


async def test_what_ends_whoever_looks_at_it_is_parked_unread(failed: Failed, monkeypatch: pytest.MonkeyPatch) -> None:
    async def taste(body: bytes, returns: int) -> None:
        if returns >= 4:
            raise DeadlyMessageError(DEADLY)

    monkeypatch.setattr(failed.checker, "taste", taste)
    for returns, ends in ((3, SUBMISSIONS_EXCHANGE), (4, PARKED_EXCHANGE)):
        assert await failed.reject(more_headers={"x-delivery-count": returns}, redelivered=True) == "ack"
        [*_, (exchange, _, message)] = failed.publisher.messages
        assert exchange == ends
    assert message.headers[PARKED_REASON_HEADER] == DEADLY


async def test_the_last_attempt_is_parked(failed: Failed) -> None:
    assert await failed.reject(attempt=MAX_ATTEMPTS) == "ack"
    assert failed.again() == []
    [copy] = failed.publisher.parked
    assert copy.headers[PARKED_REASON_HEADER] == f"failed {MAX_ATTEMPTS} times"


async def test_failures_over_http_and_over_amqp_are_one_count(failed: Failed) -> None:
    for attempt in range(1, MAX_ATTEMPTS):
        key = f"key {attempt}"
        gone = released(1, failed.now + 1, key, failed=True)
        failed.ledger.happens(leased(1, failed.now, key, attempt=attempt), gone)
        failed.now += 2
    assert await failed.reject(attempt=1) == "ack"
    assert failed.again() == []
    [copy] = failed.publisher.parked
    assert copy.headers[PARKED_REASON_HEADER] == f"failed {MAX_ATTEMPTS} times"


async def test_what_was_given_back_without_a_failure_is_not_counted(failed: Failed) -> None:
    failed.ledger.happens(leased(1, failed.now, "key"), released(1, failed.now + 1, "key"))
    failed.now += 2
    await failed.reject(attempt=1)
    assert attempts_of(failed.again()) == [2]


@pytest.mark.parametrize(
    "spoilt",
    [
        {"body": b'{"xqueue_body": "\\ud800"}'},
        {"body": b'{"xqueue_body": "x", "xqueue_files": {"\\ud800": "u"}}'},
        {"body": b'{"xqueue_body": "%s"}' % (b"x" * 15 * 1024 * 1024)},
        {"more_headers": {"xqueue-return": "s" * 115 * 1024}},
        {"more_headers": {ATTEMPT_HEADER: 2**63}},
        {"correlation_id": None},
    ],
    ids=["half a character", "in a file's name", "large body", "large header", "large number", "no uuid"],
)
async def test_what_could_not_be_published_again_is_parked_as_it_came(failed: Failed, spoilt: dict[str, Any]) -> None:
    assert await failed.reject(**spoilt) == "ack"
    [copy] = failed.publisher.parked
    assert copy.body == spoilt.get("body", copy.body)
    assert copy.headers[PARKED_QUEUE_HEADER] == QUEUE


async def test_a_submission_of_a_queue_that_is_gone_is_parked_and_its_student_told(failed: Failed) -> None:
    failed.publisher.error, failed.publisher.refused = UnroutableError("no queue takes it"), SUBMISSIONS_EXCHANGE
    assert await failed.reject() == "ack"
    [copy] = failed.publisher.parked
    assert copy.headers[PARKED_REASON_HEADER] == "no queue takes it"
    assert len(failed.publisher.results) == 1


async def test_a_failed_submission_of_a_superseded_one_is_let_go_and_the_ledger_hears_of_it(failed: Failed) -> None:
    failed.ledger.happens(submitted(1, failed.now), submitted(2, failed.now + 10))
    assert await failed.reject(1) == "ack"
    [event] = failed.ledger.stored
    assert isinstance(event, Superseded)
    assert failed.again() == failed.publisher.parked == []


async def test_what_was_superseded_stays_until_the_ledger_takes_that(failed: Failed) -> None:
    failed.ledger.happens(submitted(1, failed.now), submitted(2, failed.now + 10))
    failed.ledger.away = True
    assert await failed.reject(1) == "requeue"


async def test_what_has_ended_is_debris(failed: Failed) -> None:
    ended: AnyEvent = parked(1, failed.now)
    failed.ledger.happens(ended)
    assert await failed.reject(1) == "ack"
    assert failed.publisher.messages == []


@pytest.mark.parametrize("error", [BrokerUnavailableError("away"), MemoryError()])
@pytest.mark.parametrize(("attempt", "exchange"), [(1, SUBMISSIONS_EXCHANGE), (MAX_ATTEMPTS, PARKED_EXCHANGE)])
async def test_what_can_not_be_stored_at_the_moment_comes_again(
    failed: Failed, error: Exception, attempt: int, exchange: str
) -> None:
    failed.publisher.error, failed.publisher.refused = error, exchange
    assert await failed.reject(attempt=attempt) == "requeue"


async def test_what_fails_for_no_known_reason_is_parked_and_does_not_come_again_without_end(failed: Failed) -> None:
    failed.publisher.error, failed.publisher.refused = RuntimeError("a mistake of ours"), SUBMISSIONS_EXCHANGE
    assert await failed.reject() == "ack"
    [copy] = failed.publisher.parked
    assert copy.headers[PARKED_REASON_HEADER] == "unexpected error: RuntimeError"
    assert copy.body


async def test_what_can_not_be_parked_at_all_is_not_lost(failed: Failed) -> None:
    failed.publisher.error, failed.publisher.refused = RuntimeError("a mistake of ours"), PARKED_EXCHANGE
    assert await failed.reject(attempt=MAX_ATTEMPTS) == "requeue"


def test_rabbitmq_knows_better_than_the_message_where_it_failed() -> None:
    pretended = {PARKED_QUEUE_HEADER: "no queue"}
    assert course_queue_of(delivery(headers=death("openedx") | pretended)) == "openedx"
    assert course_queue_of(delivery(headers=pretended)) == "no queue"


@pytest.mark.parametrize(
    "deaths", [None, 5, [], [5], [{}], [{"queue": 5}], [{"queue": "another"}], {"queue": "xqueue.submissions.q"}]
)
def test_a_death_that_says_nothing_leaves_the_queue_open(deaths: object) -> None:
    assert course_queue_of(delivery(headers={"x-death": deaths})) == ""
