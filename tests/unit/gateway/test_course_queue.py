"""Deliveries as one course queue treats them: which are kept, acked, given back, adopted or parked."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from broker_setup.errors import BrokerUnavailableError, UnroutableError
from broker_setup.ledger.answers import Standing
from broker_setup.ledger.events import Expired, Parked, Superseded, hash_key, hash_url
from broker_setup.topology import PARKED_EXCHANGE
from broker_setup.wire.messages import ATTEMPT_HEADER, UNTOLD_HEADER, Submission, encode_submission
from broker_setup.wire.notices import failure_notice
from broker_setup.wire.parked import PARKED_ORIGIN_HEADER, PARKED_QUEUE_HEADER, PARKED_REASON_HEADER
from gateway.leasing import course_queue
from gateway.leasing.consumer import Buffered
from gateway.leasing.course_queue import CourseQueue, Handout
from tests.support.leasing import DELAY, FAILURE, MAX_ATTEMPTS, FakeChannel, Scene, turns
from tests.support.ledger_events import URL, graded, leased, parked, redriven, released, retired, submitted, uuid_of


def settle(scene: Scene, number: int, handout: Handout) -> None:
    scene.ledger.happens(graded(number, scene.now, handout.key))


async def test_deliveries_are_handed_out_in_order_each_under_a_key_of_its_own() -> None:
    scene = Scene()
    for number in (1, 2, 3):
        scene.deliver(number)
    assert scene.queue.waiting_here == 3
    handouts = [await scene.poll() for _ in range(3)]
    assert [handout.submission.body for handout in handouts] == ["work 1", "work 2", "work 3"]
    assert len({handout.key for handout in handouts}) == 3
    assert all(len(handout.key) == 32 for handout in handouts)
    assert all(handout.expires_at == scene.now + DELAY for handout in handouts)
    assert scene.queue.waiting_here == 0
    assert await scene.sent() == []


async def test_a_settled_submission_is_acked() -> None:
    scene = Scene()
    tag = scene.deliver(1)
    settle(scene, 1, await scene.poll())
    assert await scene.sent() == [("ack", tag)]


@pytest.mark.parametrize("leaves", [graded(1, 1_001, "elsewhere"), retired(1, 1_001), parked(1, 1_001)])
async def test_what_leaves_its_queue_by_somebody_elses_hand_is_acked_wherever_it_is(leaves: Any) -> None:
    buffered = Scene()
    tag = buffered.deliver(1)
    buffered.ledger.happens(leaves)
    assert await buffered.sent() == [("ack", tag)]
    assert buffered.queue.waiting_here == 0
    held = Scene()
    tag = held.deliver(1)
    await held.poll()
    held.ledger.happens(leaves)
    assert await held.sent() == [("ack", tag)]


async def test_a_submission_whose_lease_ran_out_is_given_back_once_and_that_is_noted() -> None:
    scene = Scene()
    tag = scene.deliver(1)
    handout = await scene.poll()
    scene.let_run_out()
    scene.let_run_out()
    assert await scene.sent() == [("requeue", tag)]
    assert scene.ledger.noted == [Expired(scene.now - DELAY, uuid_of(1), hash_key(handout.key))]


async def test_the_redelivery_of_a_settled_submission_is_debris() -> None:
    scene = Scene()
    scene.deliver(1)
    handout = await scene.poll()
    scene.queue.lost()
    settle(scene, 1, handout)
    tag = scene.deliver(1)
    assert await scene.sent() == [("ack", tag)]
    assert scene.queue.waiting_here == 0


@pytest.mark.parametrize("by", ["this gateway", "another"])
async def test_the_redelivery_of_a_leased_submission_is_adopted(by: str) -> None:
    scene = Scene()
    if by == "another":
        scene.ledger.happens(leased(1, scene.now, "its key", until=scene.now + DELAY))
    else:
        scene.deliver(1)
        await scene.poll()
        scene.queue.lost()
    tag = scene.deliver(1)
    assert scene.queue.waiting_here == 0
    assert await scene.sent() == []
    scene.ledger.happens(graded(1, scene.now, "its key"))
    assert await scene.sent() == [("ack", tag)]


async def test_an_adopted_delivery_goes_back_when_its_lease_runs_out() -> None:
    scene = Scene()
    scene.ledger.happens(leased(1, scene.now, "its key", until=scene.now + DELAY))
    tag = scene.deliver(1)
    scene.let_run_out()
    assert await scene.sent() == [("requeue", tag)]
    assert scene.ledger.noted == [Expired(scene.now, uuid_of(1), hash_key("its key"))]


async def test_a_delivery_whose_lease_ran_out_may_be_leased_again() -> None:
    scene = Scene()
    scene.ledger.happens(leased(1, scene.now, "its key", until=scene.now + DELAY))
    scene.now += DELAY
    scene.deliver(1)
    handout = await scene.poll()
    assert handout.expires_at == scene.now + DELAY


async def test_a_delivery_that_comes_again_while_it_is_held_is_not_acked_before_it_is_settled() -> None:
    # The leader lost the node for a moment: the first delivery is void, the second is the real one.
    scene = Scene()
    first = scene.deliver(1)
    second = scene.deliver(1)
    assert await scene.sent() == []
    settle(scene, 1, await scene.poll())
    assert await scene.sent() == [("ack", first), ("ack", second)]


async def test_what_nobody_asked_for_goes_back_the_oldest_first() -> None:
    scene = Scene()
    tags = [scene.deliver(number) for number in (1, 2, 3)]
    handout = await scene.poll()
    scene.queue.give_back()
    assert await scene.sent() == [("requeue", tag) for tag in tags[1:]]
    assert scene.queue.waiting_here == 0
    settle(scene, 1, handout)
    assert (await scene.sent())[-1] == ("ack", tags[0])


async def test_a_late_result_takes_the_submission_out_of_the_buffer() -> None:
    scene = Scene()
    scene.deliver(1)
    handout = await scene.poll()
    scene.let_run_out()
    tag = scene.deliver(1)
    assert scene.queue.waiting_here == 1
    settle(scene, 1, handout)
    assert scene.queue.waiting_here == 0
    assert (await scene.sent())[-1] == ("ack", tag)


async def test_a_lease_that_runs_out_while_its_delivery_waits_again_leaves_nothing_to_hand_out_here() -> None:
    scene = Scene()
    scene.deliver(1)
    await scene.poll()
    scene.queue.lost()
    scene.now += DELAY
    again = scene.deliver(1)
    for lease in scene.ledger.state.run_out(scene.now):
        scene.queue.ran_out(lease)
    # Given back, so it must not be handed out from here: another gateway may have it.
    assert await scene.sent() == [("requeue", again)]
    assert scene.queue.waiting_here == 0


# Superseded.


async def test_what_is_superseded_while_it_waits_is_noted_and_let_go() -> None:
    scene = Scene()
    scene.ledger.happens(submitted(1, scene.now))
    tag = scene.deliver(1)
    scene.now += 5
    scene.ledger.happens(submitted(2, scene.now))
    assert scene.queue.waiting_here == 0
    assert scene.ledger.noted == [Superseded(scene.now, uuid_of(1), "openedx", uuid_of(2))]
    assert await scene.sent() == [("ack", tag)]
    assert scene.ledger.state.superseded_in("openedx") == 0


async def test_what_is_superseded_before_it_arrives_is_noted_and_let_go() -> None:
    scene = Scene()
    scene.ledger.happens(submitted(1, scene.now), submitted(2, scene.now + 5))
    scene.now += 6
    tag = scene.deliver(1)
    assert scene.queue.waiting_here == 0
    assert scene.ledger.noted == [Superseded(scene.now, uuid_of(1), "openedx", uuid_of(2))]
    assert await scene.sent() == [("ack", tag)]


async def test_what_is_superseded_stays_in_the_broker_until_the_ledger_says_that_it_left() -> None:
    scene = Scene()
    scene.ledger.happens(submitted(1, scene.now), submitted(2, scene.now + 5))
    scene.ledger.away = True
    tag = scene.deliver(1)
    assert scene.queue.waiting_here == 0
    assert await scene.sent() == []
    scene.ledger.come_back()
    assert await scene.sent() == [("ack", tag)]


async def test_what_is_leased_is_not_let_go_for_a_newer_one() -> None:
    scene = Scene()
    scene.ledger.happens(submitted(1, scene.now))
    tag = scene.deliver(1)
    handout = await scene.poll()
    scene.ledger.happens(submitted(2, scene.now + 5))
    assert await scene.sent() == []
    settle(scene, 1, handout)
    assert await scene.sent() == [("ack", tag)]


# What can not be handed out, or released.


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
    monkeypatch.setattr(course_queue, "PAUSE_SECONDS", 0.0)
    scene = Scene()
    scene.publisher.error, scene.publisher.refused = error, PARKED_EXCHANGE
    tag = scene.deliver(1, body=b"no JSON")
    await turns(10)
    assert scene.channel.sent == [("requeue", tag)]
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
    monkeypatch.setattr(course_queue, "PAUSE_SECONDS", 0.0)
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


# Who waits for what is no submission.


async def test_the_student_of_an_unreadable_submission_is_told_before_it_is_let_go() -> None:
    scene = Scene()
    scene.publisher.in_time.clear()
    tag = scene.deliver(1, body=b"\xff my secret work")
    assert await scene.sent() == []
    assert scene.ledger.stored == []
    scene.publisher.in_time.set()
    await turns()
    assert scene.channel.sent == [("ack", tag)]
    assert [copy.body for copy in scene.publisher.parked] == [b"\xff my secret work"]
    [(uuid, body, amendment, sealed)] = scene.publisher.results
    assert (uuid, body, amendment) == (uuid_of(1).hex(), failure_notice(FAILURE), 0)
    assert isinstance(sealed, str)
    assert "lms_key" in scene.sealer.open(sealed, uuid_of(1).hex()).lms_header
    [event] = scene.ledger.stored
    assert isinstance(event, Parked)
    assert (event.submission, event.queue, event.url) == (uuid_of(1), "openedx", hash_url(URL))
    assert "not the JSON of a submission" in event.reason
    assert "secret" not in event.reason
    assert scene.ledger.state.standing(uuid_of(1), scene.now) is Standing.CLOSED


@pytest.mark.parametrize("error", [BrokerUnavailableError("away"), UnroutableError("no queue")])
async def test_a_submission_whose_student_can_not_be_told_goes_back_after_a_pause(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(course_queue, "PAUSE_SECONDS", 0.0)
    scene = Scene()
    scene.publisher.error = error
    tag = scene.deliver(1, body=b"no JSON")
    await turns(10)
    assert scene.channel.sent == [("requeue", tag)]
    assert scene.ledger.stored == []
    scene.publisher.error = None
    again = scene.deliver(1, body=b"no JSON")
    await turns(10)
    assert scene.channel.sent == [("requeue", tag), ("ack", again)]
    assert len(scene.publisher.results) == len(scene.publisher.parked) == 1


@pytest.mark.parametrize(
    "happened",
    [
        leased(1, 999, "key", until=2_000),
        graded(1, 999, "key"),
        retired(1, 999),
        parked(1, 999),
    ],
)
async def test_nobody_is_told_of_an_unreadable_copy_of_what_is_graded_or_has_ended(happened: Any) -> None:
    scene = Scene()
    scene.ledger.happens(happened)
    tag = scene.deliver(1, body=b"no JSON")
    await turns()
    assert scene.channel.sent == [("ack", tag)]
    assert scene.publisher.results == []
    assert len(scene.publisher.parked) == 1
    assert scene.ledger.stored == []


@pytest.mark.parametrize(
    "spoilt",
    [
        {"correlation_id": None},
        {"correlation_id": uuid_of(2).hex()},
        {"headers": {}},
        {"headers": {"xqueue-return": "forged"}},
        {"headers": {"xqueue-return": "fôrged"}},
        {"headers": {"xqueue-return": 7}},
    ],
    ids=str,
)
async def test_where_the_return_address_does_not_open_nobody_can_be_told(spoilt: dict[str, Any]) -> None:
    scene = Scene()
    tag = scene.deliver(1, **({"body": b"no JSON"} | spoilt))
    await turns()
    assert scene.channel.sent == [("ack", tag)]
    assert scene.publisher.results == []
    assert len(scene.publisher.parked) == 1
    assert scene.ledger.stored == []


async def test_a_release_on_a_channel_that_is_gone_disturbs_nobody() -> None:
    scene = Scene()

    class Gone(FakeChannel):
        async def basic_ack(self, tag: int, *, multiple: bool, wait: bool) -> None:
            raise RuntimeError("this channel is closed")

    scene.deliver(1, Gone())
    settle(scene, 1, await scene.poll())
    assert await scene.sent() == []


@pytest.mark.parametrize("lose", [CourseQueue.lost, CourseQueue.give_back])
async def test_a_delivery_that_is_no_longer_here_is_not_handed_out(lose: Callable[[CourseQueue], None]) -> None:
    scene = Scene()
    scene.deliver(1)
    lose(scene.queue)
    assert scene.queue.buffered() == Buffered(number=0, bytes=0, oldest=0.0, waiting=0)
    assert await scene.queue.take() == []


# Redriven.


async def test_a_redriven_copy_that_comes_before_its_event_was_read_is_handed_out() -> None:
    scene = Scene()
    scene.ledger.happens(parked(1, scene.now))
    scene.ledger.unread = [redriven(1, scene.now + 1)]
    tag = scene.deliver(1, redriven=1)
    assert scene.queue.waiting_here == 1
    scene.now += 2
    handout = await scene.poll()
    assert await scene.sent() == []
    settle(scene, 1, handout)
    assert await scene.sent() == [("ack", tag)]


async def test_a_redriven_copy_outlives_the_event_by_which_its_forerunner_was_parked() -> None:
    scene = Scene()
    tag = scene.deliver(1, redriven=1)
    scene.ledger.happens(parked(1, scene.now))
    assert await scene.sent() == []
    scene.ledger.happens(redriven(1, scene.now))
    scene.now += 1
    settle(scene, 1, await scene.poll())
    assert await scene.sent() == [("ack", tag)]


async def test_a_redriven_copy_of_what_was_graded_since_is_debris() -> None:
    scene = Scene()
    scene.ledger.happens(parked(1, scene.now), redriven(1, scene.now), graded(1, scene.now, "k"))
    tag = scene.deliver(1, redriven=1)
    assert await scene.sent() == [("ack", tag)]


async def test_a_copy_that_only_pretends_to_be_redriven_is_debris_once_its_lease_is_void() -> None:
    scene = Scene()
    scene.ledger.happens(parked(1, scene.now))
    tag = scene.deliver(1, redriven=7)
    assert await scene.queue.take() == []
    assert await scene.sent() == [("ack", tag)]


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
    scene.queue.lost()
    assert await polling == []
    assert scene.publisher.parked == []


async def test_what_waits_for_a_poll_is_counted_in_bytes_too() -> None:
    scene = Scene()
    scene.deliver(1)
    one = scene.queue.buffered().bytes
    assert one >= len("work 1")
    scene.deliver(2)
    assert scene.queue.buffered().bytes == 2 * one
    await scene.poll()
    assert scene.queue.buffered().bytes == one
