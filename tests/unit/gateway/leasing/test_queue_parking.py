"""What a course queue does not hand out: it is parked, once, with its student told."""

import asyncio
import json
from typing import Any

import pytest

from broker_setup.amqp.messages import Message
from broker_setup.errors import BrokerUnavailableError
from broker_setup.ledger.events import Parked
from broker_setup.link import settling
from broker_setup.topology import PARKED_EXCHANGE
from broker_setup.wire.notices import failure_notice
from broker_setup.wire.parked import (
    PARKED_ORIGIN_HEADER,
    PARKED_QUEUE_HEADER,
    PARKED_REASON_HEADER,
    Kind,
    read_parked,
)
from broker_setup.wire.properties import ATTEMPT_HEADER, RETURN_HEADER, UNTOLD_HEADER
from broker_setup.wire.return_address import ReturnAddress, Sealer
from broker_setup.wire.submissions import Submission, encode_submission
from gateway.leasing import holding
from tests.support.leasing import DELAY, FAILURE, MAX_ATTEMPTS, Scene, turns
from tests.support.ledger_events import URL, leased, redriven, released, uuid_of

# What can not be read.


@pytest.mark.parametrize(
    "spoilt",
    [
        {"body": b"no JSON"},
        {"body": b"[]"},
        {"body": b"\xff\xfe"},
        {"body": b"[" * 100_000},
        {"body": b'{"xqueue_body": 7}'},
        {"body": b'{"xqueue_body": "x", "xqueue_files": ["a"]}'},
        {"body": b'{"xqueue_body": "\\ud800"}'},
        {"body": b'{"xqueue_body": "%s"}' % (b"x" * 15 * 1024 * 1024)},
        {"headers": {"xqueue-return": "s" * 115 * 1024}},
        {"correlation_id": None},
        {"correlation_id": "A" * 32},
        {"headers": {}},
    ],
    ids=lambda spoilt: f"{spoilt}"[:40],
)
async def test_what_is_no_submission_is_parked(spoilt: dict[str, Any]) -> None:
    scene = Scene()
    tag = scene.deliver(1, **spoilt)
    assert await scene.sent() == [("ack", tag)]
    assert scene.queue.waiting_here == 0
    [copy] = scene.publisher.parked
    assert copy.headers[PARKED_REASON_HEADER]
    assert copy.headers[PARKED_QUEUE_HEADER] == "openedx"


@pytest.mark.parametrize("error", [BrokerUnavailableError("away"), RuntimeError("a mistake of ours")])
async def test_what_can_not_be_parked_goes_back_after_a_pause(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "PAUSE_SECONDS", 0.0)
    scene = Scene()
    scene.publisher.error, scene.publisher.refused = error, PARKED_EXCHANGE
    tag = scene.deliver(1, body=b"no JSON")
    await turns(20)
    assert scene.channel.sent == [("requeue", tag)]
    assert scene.ledger.stored == []


async def test_what_fails_to_be_parked_for_what_stands_in_its_headers_is_parked_without_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settling, "PAUSE_SECONDS", 0.0)
    scene = Scene()
    publish = scene.publisher.publish

    async def choosy(message: Message, *, exchange: str, routing_key: str) -> None:
        if "odd" in message.headers:
            raise RuntimeError("nobody foresaw that")
        await publish(message, exchange=exchange, routing_key=routing_key)

    monkeypatch.setattr(scene.publisher, "publish", choosy)
    sealed = scene.sealer.seal(ReturnAddress(uuid_of(1).hex(), json.dumps({"lms_callback_url": URL})))
    tag = scene.deliver(1, body=b"no JSON", headers={RETURN_HEADER: sealed, "odd": 1})
    await turns(20)
    assert scene.channel.sent == [("ack", tag)]
    [copy] = scene.publisher.parked
    assert (copy.body, copy.correlation_id, copy.headers[RETURN_HEADER]) == (b"no JSON", uuid_of(1).hex(), sealed)
    assert str(copy.headers[PARKED_REASON_HEADER]).endswith("(unexpected error: RuntimeError)")
    assert len(scene.publisher.results) == 1


# What is sealed under a secret that this gateway does not know.


async def test_a_submission_of_an_unknown_secret_goes_back_for_another_gateway_and_the_next_is_handed_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(holding, "SECRET_PAUSE_SECONDS", 0.0)
    scene = Scene()
    sealed = Sealer(["a secret that only a later gateway knows"]).seal(ReturnAddress(uuid_of(1).hex(), "{}"))
    tag = scene.deliver(1, headers={RETURN_HEADER: sealed})
    scene.deliver(2)
    assert (await scene.poll()).submission.body == "work 2"
    assert await scene.sent() == [("requeue", tag)]
    assert scene.publisher.parked == []
    assert scene.ledger.stored == []


# Failed too often.


async def test_a_submission_whose_leases_ran_out_too_often_is_parked_and_the_next_is_handed_out() -> None:
    scene = Scene()
    for attempt in range(1, MAX_ATTEMPTS + 1):
        scene.ledger.happens(leased(1, scene.now, f"key {attempt}", attempt=attempt))
        scene.now += 2 * DELAY
    tag = scene.deliver(1)
    scene.deliver(2)
    assert (await scene.poll()).submission.body == "work 2"
    assert await scene.sent() == [("ack", tag)]
    [copy] = scene.publisher.parked
    assert copy.headers[PARKED_REASON_HEADER] == f"failed {MAX_ATTEMPTS} times"
    assert copy.headers[ATTEMPT_HEADER] == MAX_ATTEMPTS
    [(uuid, body, _, _)] = scene.publisher.results
    assert (uuid, body) == (uuid_of(1).hex(), failure_notice(FAILURE))
    [event] = scene.ledger.stored
    assert isinstance(event, Parked)
    assert event.reason == f"failed {MAX_ATTEMPTS} times"


async def test_what_is_given_back_without_a_failure_is_no_attempt() -> None:
    scene = Scene()
    for turn in range(3 * MAX_ATTEMPTS):
        scene.ledger.happens(
            leased(1, scene.now, f"key {turn}"), released(1, scene.now + 1, f"key {turn}", available_at=scene.now + 1)
        )
        scene.now += 2
    scene.deliver(1)
    assert (await scene.poll()).submission.body == "work 1"


async def test_what_is_given_back_as_failed_is_an_attempt() -> None:
    scene = Scene()
    for attempt in range(1, MAX_ATTEMPTS + 1):
        key = f"key {attempt}"
        gone = released(1, scene.now + 1, key, available_at=scene.now + 1, failed=True)
        scene.ledger.happens(leased(1, scene.now, key, attempt=attempt), gone)
        scene.now += 2
    scene.deliver(1)
    assert await scene.queue.take() == []
    assert len(scene.publisher.parked) == 1


async def test_attempts_of_amqp_graders_count_as_well() -> None:
    scene = Scene()
    scene.deliver(1, attempt=MAX_ATTEMPTS)
    assert (await scene.poll()).submission.attempt == MAX_ATTEMPTS
    scene.deliver(2, attempt=MAX_ATTEMPTS + 1)
    assert await scene.queue.take() == []
    assert len(scene.publisher.parked) == 1


async def test_a_parked_submission_is_let_go_when_the_ledger_has_stored_that() -> None:
    scene = Scene()
    scene.ledger.in_time.clear()
    tag = scene.deliver(1, attempt=MAX_ATTEMPTS + 1)
    assert await scene.queue.take() == []
    await turns(10)
    assert len(scene.publisher.parked) == 1
    assert scene.channel.sent == []
    scene.ledger.in_time.set()
    await turns(10)
    assert scene.channel.sent == [("ack", tag)]
    assert len(scene.ledger.stored) == 1


@pytest.mark.parametrize("spoilt", [{"body": b"no JSON"}, {"attempt": MAX_ATTEMPTS + 1}])
async def test_while_the_ledger_is_away_nothing_is_parked_and_nobody_is_told(
    spoilt: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "PAUSE_SECONDS", 0.0)
    scene = Scene()
    scene.ledger.away = True
    tag = scene.deliver(1, **spoilt)
    assert await scene.queue.take() == []
    await turns(10)
    assert scene.channel.sent == [("requeue", tag)]
    assert scene.publisher.messages == []


async def test_what_is_parked_says_which_lms_it_is_from() -> None:
    scene = Scene()
    scene.deliver(1, attempt=MAX_ATTEMPTS + 1)
    assert await scene.queue.take() == []
    scene.deliver(2, body=b"no JSON")
    scene.deliver(3, attempt=MAX_ATTEMPTS + 1, url="no URL")
    assert await scene.queue.take() == []
    await turns(10)
    origins = [copy.headers.get(PARKED_ORIGIN_HEADER) for copy in scene.publisher.parked]
    assert sorted(origins, key=str) == [None, "https://lms.example", "https://lms.example"]


async def test_a_student_who_could_not_be_told_is_told_when_it_is_parked_again() -> None:
    scene = Scene()
    scene.deliver(1, headers={"xqueue-return": "sealed under a secret that is not here"})
    assert await scene.queue.take() == []
    [copy] = scene.publisher.parked
    assert copy.headers[UNTOLD_HEADER] == 1
    assert scene.publisher.results == []
    for told in (False, True):
        scene.now += 1
        scene.ledger.happens(redriven(1, scene.now, 2 if told else 1))
        scene.deliver(1, attempt=MAX_ATTEMPTS + 1, redriven=2 if told else 1, untold=not told)
        assert await scene.queue.take() == []
        await turns(10)
        assert len(scene.publisher.results) == 1
        assert UNTOLD_HEADER not in scene.publisher.parked[-1].headers


async def test_a_student_who_was_told_is_not_told_again_when_it_is_parked_again() -> None:
    scene = Scene()
    scene.deliver(1, attempt=MAX_ATTEMPTS + 1, redriven=1)
    assert await scene.queue.take() == []
    assert len(scene.publisher.parked) == 1
    assert scene.publisher.results == []


@pytest.mark.parametrize("sealed", ["forged", "", "of another submission"])
async def test_a_submission_with_a_bad_return_address_is_parked_noted_and_the_next_is_handed_out(sealed: str) -> None:
    scene = Scene()
    other = Scene()
    other.deliver(3)
    if sealed.startswith("of"):
        sealed = (await other.poll()).submission.sealed_return
    tag = scene.deliver(1, headers={"xqueue-return": sealed})
    delivered_body = encode_submission(Submission(uuid_of(1).hex(), "openedx", "work 1", "sealed")).body
    scene.deliver(2)
    assert (await scene.poll()).submission.body == "work 2"
    assert await scene.sent() == [("ack", tag)]
    [copy] = scene.publisher.parked
    assert "return address" in str(copy.headers[PARKED_REASON_HEADER])
    assert copy.body == delivered_body
    [event] = scene.ledger.stored
    assert isinstance(event, Parked)
    assert (event.submission, event.queue) == (uuid_of(1), "openedx")
    assert "return address" in event.reason


# Parked again, or lost.


async def test_a_copy_that_is_parked_again_says_how_often_it_was_redriven() -> None:
    scene = Scene()
    scene.deliver(1, redriven=2, headers={"xqueue-return": "forged", "xqueue-redriven": 2})
    assert await scene.queue.take() == []
    [event] = scene.ledger.stored
    assert isinstance(event, Parked)
    assert event.redriven == 2
    [copy] = scene.publisher.parked
    assert copy.headers["xqueue-redriven"] == 2


@pytest.mark.parametrize("bad", [{"attempt": MAX_ATTEMPTS + 1}, {"headers": {"xqueue-return": "forged"}}])
async def test_what_is_lost_before_it_could_be_parked_is_no_error_and_comes_again(bad: dict[str, Any]) -> None:
    scene = Scene()
    scene.deliver(1, **bad)
    polling = asyncio.create_task(scene.queue.take())
    await turns(1)
    assert scene.queue.waiting_here == 0, "it was taken out of the buffer"
    scene.queue._deliveries.forget()
    assert await polling == []
    assert scene.publisher.parked == []


async def test_a_student_is_told_after_the_grace_of_the_queue_and_all_that_tells_of_it_says_when() -> None:
    scene = Scene()
    scene.parking._grace_of = lambda queue: 3600.0 if queue == "openedx" else 0.0
    scene.deliver(1, attempt=MAX_ATTEMPTS + 1)
    assert await scene.queue.take() == []
    await turns(10)
    [copy] = scene.publisher.parked
    read = read_parked(copy, Kind.SUBMISSION)
    assert read.tell_at
    assert (read.tell_at.timestamp(), read.notice_queue) == (scene.now + 3600, "xqueue.notices.1h")
    assert UNTOLD_HEADER not in copy.headers
    [event] = scene.ledger.stored
    assert isinstance(event, Parked)
    assert event.tell_at == scene.now + 3600
    assert scene.publisher.results == []
    [notice] = scene.publisher.to(PARKED_EXCHANGE, "xqueue.notices.1h")
    assert notice.correlation_id == uuid_of(1).hex()
