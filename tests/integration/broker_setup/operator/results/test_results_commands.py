"""`xqueue-broker results`: what waits on rungs is seen as it is, or called in with its tries; the rest stays."""

import time
from datetime import datetime

import pika
import pytest

from broker_setup.ledger.events import Act, Acted
from broker_setup.topology import CHECKED_QUEUE, former_rung, retry_queue
from broker_setup.wire.properties import RETURN_HEADER, TRIES_HEADER
from broker_setup.wire.results import Result, Tries, encode_result
from broker_setup.wire.waits import WAITS_PREFIX, waits_headers
from tests.support.broker import VHost
from tests.support.ledger import events_in, pika_channel
from tests.support.operator import Operator, take_all

RUNG = 3600.0
GOOD, SICK = "https://lms.example", "https://sick.example"
NUMBERS = {GOOD: (1, 3, 5), SICK: (2, 4)}


@pytest.fixture
def operator(declared: VHost) -> Operator:
    """Three results of one LMS wait on the long rung, and two of another."""
    for number in range(1, 6):
        put_on_rung(declared.amqp_url, number, GOOD if number in NUMBERS[GOOD] else SICK)
    return Operator(declared.amqp_url)


def uuid_of(number: int) -> str:
    return f"{number:032x}"


def put_on_rung(amqp_url: str, number: int, origin: str, rung: str = retry_queue(RUNG)) -> None:
    message = encode_result(Result(uuid_of(number), b"reply %d" % number, "sealed", Tries(number, 0, number, 1)))
    headers = message.headers | waits_headers(origin, "openedx", "answered 502", time.time() + 60 * number)
    properties = pika.BasicProperties(correlation_id=uuid_of(number), headers=headers, delivery_mode=2)
    with pika_channel(amqp_url) as channel:
        channel.basic_publish("", rung, message.body, properties, mandatory=True)


def on_rung(operator: Operator) -> list[bytes]:
    return [body for _, body, _ in take_all(operator.amqp_url, retry_queue(RUNG))]


def test_list_says_whose_they_are_and_why_they_wait_and_leaves_them_in_their_order(operator: Operator) -> None:
    told = operator.json("results", "list")
    assert (told["ready"], told["waiting"]) == (0, 5)
    assert told["origins"] == [
        {"origin": GOOD, "reason": "answered 502", "number": 3},
        {"origin": SICK, "reason": "answered 502", "number": 2},
    ]
    assert [each["uuid"] for each in told["results"]] == [uuid_of(number) for number in range(1, 6)]
    first = told["results"][0]
    assert (first["origin"], first["queue"], first["tries"]) == (GOOD, "openedx", 1)
    assert first["rung"] == retry_queue(RUNG)
    assert datetime.fromisoformat(first["next_try"]).timestamp() == pytest.approx(time.time() + 60, abs=50)
    printed = operator.run("results", "list", "--origin", SICK, "--limit", "1").stdout
    assert "0 for the relay to take at once, 2 on rungs" in printed
    assert "and 1 more" in printed
    assert on_rung(operator) == [b"reply %d" % number for number in range(1, 6)]


def test_retry_calls_in_what_is_meant_with_its_tries_and_leaves_the_rest(operator: Operator) -> None:
    told = operator.json("results", "retry", "--origin", f"{GOOD}:443", "--yes", "--by", "ned")
    assert (told["selected"], told["called_in"]) == (3, 3)
    called = take_all(operator.amqp_url, CHECKED_QUEUE)
    assert [(uuid, body) for uuid, body, _ in called] == [
        (uuid_of(number), b"reply %d" % number) for number in NUMBERS[GOOD]
    ]
    for number, (_, _, headers) in zip(NUMBERS[GOOD], called, strict=True):
        assert (headers[TRIES_HEADER], headers[RETURN_HEADER]) == (number, "sealed")
        assert not [name for name in headers if name.startswith(WAITS_PREFIX)]
    assert on_rung(operator) == [b"reply %d" % number for number in NUMBERS[SICK]]
    assert operator.json("results", "retry", "--origin", GOOD, "--yes")["called_in"] == 0, "run again, nothing is left"
    acts = [(event.act, event.by) for event in events_in(operator.amqp_url) if isinstance(event, Acted)]
    assert acts == [(Act.CALLED_IN, "ned")] * 3


def test_what_is_left_on_a_rung_of_0_1_0_is_seen_counted_and_called_in(operator: Operator) -> None:
    with pika_channel(operator.amqp_url) as channel:
        channel.queue_declare(former_rung(RUNG), durable=True, arguments={"x-queue-type": "quorum"})
    put_on_rung(operator.amqp_url, 6, SICK, former_rung(RUNG))
    assert operator.json("count")["results"]["retrying"] == 6
    [left] = operator.json("results", "list", "--uuid", uuid_of(6))["results"]
    assert left["rung"] == former_rung(RUNG)
    assert operator.json("results", "retry", "--uuid", uuid_of(6), "--yes")["called_in"] == 1
    assert [uuid for uuid, _, _ in take_all(operator.amqp_url, CHECKED_QUEUE)] == [uuid_of(6)]


def test_retry_does_nothing_without_a_filter_or_without_yes(operator: Operator) -> None:
    assert "--origin, --queue, --uuid, or --all" in operator.refused("results", "retry", "--yes")
    told = operator.json("results", "retry", "--uuid", uuid_of(2))
    assert (told["dry_run"], told["selected"], told["called_in"]) == (True, 1, 0)
    assert "5 of 5 results on rungs match" in operator.run("results", "retry", "--queue", "openedx").stdout
    assert "0 of 5 results on rungs match" in operator.run("results", "retry", "--queue", "another").stdout
    assert len(on_rung(operator)) == 5
