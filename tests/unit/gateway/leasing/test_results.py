"""Results as graders hand them in, once or again: published before recorded, and each only once."""

import asyncio
from time import monotonic

import pytest

from broker_setup.errors import BrokerUnavailableError
from broker_setup.ledger.answers import Standing
from broker_setup.ledger.events import Amended, AnyEvent, Graded, hash_key, hash_url
from broker_setup.ledger.state.result_decision import AMENDMENT_SECONDS
from broker_setup.wire.properties import submission_id_of
from gateway.leasing import deadline
from gateway.leasing import handing_in as module
from gateway.leasing.results import UnknownSubmissionError, WrongKeyError
from tests.support.desk import START, Desk
from tests.support.leasing import DELAY, anywhere, turns
from tests.support.ledger_events import URL, amended, graded, id_of, leased, submitted, uuid_of
from tests.support.waiting import quickest


async def test_a_result_is_published_with_what_the_relay_needs_and_then_recorded() -> None:
    desk = Desk()
    await desk.put()
    assert desk.publisher.results == [(uuid_of(1).hex(), b"reply", 0, "sealed 1")]
    event = desk.ledger.events[-1]
    assert isinstance(event, Graded)
    assert (event.at, event.submission, event.queue) == (desk.now, uuid_of(1), "openedx")
    assert (event.url, event.key) == (hash_url(URL), hash_key("key"))
    assert desk.standing() is Standing.CLOSED
    assert desk.ledger.barriers == 0, "in time, so there is nothing to wait for"


async def test_nothing_is_recorded_before_it_is_published_and_nobody_told_before_it_is_recorded() -> None:
    desk = Desk()
    desk.publisher.in_time.clear()
    desk.ledger.in_time.clear()
    putting = desk.begin()
    await turns()
    assert desk.standing() is Standing.LEASED
    desk.publisher.in_time.set()
    await turns()
    assert desk.publisher.bodies == [(b"reply", 0)]
    assert desk.standing() is Standing.LEASED
    assert not putting.done()
    desk.ledger.in_time.set()
    await putting
    assert desk.standing() is Standing.CLOSED


async def test_a_result_that_could_not_be_published_is_not_recorded_and_the_lease_goes_on() -> None:
    desk = Desk()
    desk.publisher.error = BrokerUnavailableError("away")
    with pytest.raises(BrokerUnavailableError):
        await desk.put()
    assert desk.standing() is Standing.LEASED
    assert desk.ledger.noted == []
    desk.publisher.error = None
    await desk.put()
    assert desk.publisher.bodies == [(b"reply", 0)]


async def test_without_the_ledger_a_published_result_is_noted_and_a_retry_does_not_publish_it_again() -> None:
    desk = Desk()
    desk.ledger.away = True
    for _ in range(3):
        with pytest.raises(BrokerUnavailableError, match="the ledger is away"):
            await desk.put()
    assert all(isinstance(event, Graded) for event in desk.ledger.noted)
    desk.ledger.away = False
    await desk.put()
    assert desk.publisher.bodies == [(b"reply", 0)]
    assert desk.standing() is Standing.CLOSED


async def test_a_result_that_was_noted_settles_its_submission_though_nobody_tries_again() -> None:
    desk = Desk()
    desk.ledger.away = True
    with pytest.raises(BrokerUnavailableError):
        await desk.put()
    desk.ledger.come_back()
    assert desk.standing() is Standing.CLOSED
    await desk.put()
    assert desk.publisher.bodies == [(b"reply", 0)]


async def test_a_result_that_was_recorded_though_nobody_said_so_is_a_repeat_when_it_comes_again() -> None:
    desk = Desk()
    desk.ledger.swallows = True
    with pytest.raises(BrokerUnavailableError):
        await desk.put()
    desk.ledger.swallows = False
    await desk.put()
    assert desk.publisher.bodies == [(b"reply", 0)]


async def test_a_correction_that_is_taken_back_here_is_delivered_though_the_first_result_met_no_ledger() -> None:
    desk = Desk()
    desk.ledger.away = True
    with pytest.raises(BrokerUnavailableError):
        await desk.put(b"first")
    desk.ledger.come_back()
    await desk.put(b"first")
    # At another gateway.
    desk.ledger.happens(amended(1, desk.now, "key", b"second", 1))
    await desk.put(b"first")
    assert desk.publisher.bodies == [(b"first", 0), (b"first", 2)]


async def test_an_outage_of_the_ledger_leaves_no_more_than_so_many_results_in_mind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_UNRECORDED", 3)
    desk = Desk()
    for number in range(2, 8):
        desk.ledger.happens(submitted(number, START), leased(number, START, f"key {number}", until=START + DELAY))
    desk.ledger.away = True
    for _ in range(2):
        for number in (5, 6, 7):
            with pytest.raises(BrokerUnavailableError):
                await desk.put(key=f"key {number}", number=number)
    assert len(desk.publisher.bodies) == 3, "tried again, but published once"
    for number in (2, 3, 4):
        with pytest.raises(BrokerUnavailableError):
            await desk.put(key=f"key {number}", number=number)
    assert len(desk.results._handing_in._unrecorded) == 3


async def test_the_same_result_again_is_a_success_and_is_published_once() -> None:
    desk = Desk()
    for _ in range(3):
        await desk.put()
    assert desk.publisher.bodies == [(b"reply", 0)]


async def test_a_grader_that_corrects_itself_and_takes_that_back_is_delivered_each_time() -> None:
    desk = Desk()
    for body in (b"first", b"second", b"first", b"first"):
        await desk.put(body)
    assert desk.publisher.bodies == [(b"first", 0), (b"second", 1), (b"first", 2)]
    amendments = [event.amendment for event in desk.ledger.events if isinstance(event, Amended)]
    assert amendments == [1, 2]


async def test_a_correction_that_comes_too_late_is_refused() -> None:
    desk = Desk()
    await desk.put(b"first")
    desk.now += AMENDMENT_SECONDS + 1
    with pytest.raises(WrongKeyError):
        await desk.put(b"second")
    assert desk.publisher.bodies == [(b"first", 0)]


# At the same time.


async def test_the_same_result_many_times_at_once_is_published_once() -> None:
    desk = Desk()
    desk.publisher.in_time.clear()
    putting = [desk.begin() for _ in range(5)]
    await turns()
    desk.publisher.in_time.set()
    await asyncio.gather(*putting)
    assert desk.publisher.bodies == [(b"reply", 0)]


async def test_two_different_results_at_once_are_a_result_and_its_amendment() -> None:
    desk = Desk()
    desk.publisher.in_time.clear()
    putting = [desk.begin(body) for body in (b"first", b"second")]
    await turns()
    desk.publisher.in_time.set()
    await asyncio.gather(*putting)
    assert desk.publisher.bodies == [(b"first", 0), (b"second", 1)]


async def test_a_second_try_takes_over_where_the_first_one_fails() -> None:
    desk = Desk()
    desk.publisher.in_time.clear()
    desk.publisher.error = BrokerUnavailableError("away")
    first, second = desk.begin(), desk.begin()
    await turns()
    desk.publisher.in_time.set()
    with pytest.raises(BrokerUnavailableError):
        await first
    desk.publisher.error = None
    await second
    assert desk.publisher.bodies == [(b"reply", 0)]


async def test_where_another_graders_result_came_first_in_the_ledger_this_one_is_refused() -> None:
    desk = Desk()
    desk.ledger.unread = [graded(1, desk.now, "somebody's", b"other")]
    with pytest.raises(WrongKeyError, match="another result came first"):
        await desk.put()


async def test_a_grader_that_hangs_up_does_not_undo_what_it_handed_in() -> None:
    desk = Desk()
    desk.publisher.in_time.clear()
    putting = desk.begin()
    await turns()
    assert desk.results.is_under_way(uuid_of(1))
    putting.cancel()
    await asyncio.wait({putting})
    assert putting.cancelled()
    desk.publisher.in_time.set()
    await turns()
    assert desk.publisher.bodies == [(b"reply", 0)]
    assert desk.standing() is Standing.CLOSED
    assert not desk.results.is_under_way(uuid_of(1))


# In time.


async def test_one_deadline_stands_over_all_that_a_result_waits_for_and_what_was_begun_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deadline, "ANSWER_SECONDS", 0.3)

    async def refused_after() -> float:
        desk = Desk()
        desk.now = START + DELAY  # late, so it waits for a marker too
        slow = desk.ledger.barrier

        async def barrier() -> None:
            await asyncio.sleep(0.2)
            await slow()

        monkeypatch.setattr(desk.ledger, "barrier", barrier)
        desk.ledger.in_time.clear()
        began = monotonic()
        with pytest.raises(BrokerUnavailableError, match="in time"):
            await desk.put()
        took = monotonic() - began
        desk.ledger.in_time.set()
        await turns()
        assert desk.publisher.bodies == [(b"reply", 0)]
        assert desk.standing() is Standing.CLOSED
        return took

    assert await quickest(refused_after, below=0.45) < 0.45, "not the one after the other"


# A mistake of ours.


async def test_a_mistake_while_a_result_is_stored_is_told_and_holds_nothing_up() -> None:
    desk = Desk()
    desk.publisher.error = TypeError("a mistake")
    with pytest.raises(TypeError):
        await desk.put()
    desk.publisher.error = None
    recording = desk.ledger.begin_to_record
    for mistaken in (failing_at_once, failing_later):
        desk.ledger.begin_to_record = mistaken  # type: ignore[method-assign]
        with pytest.raises(TypeError):
            await desk.put()
        assert not desk.results.is_under_way(uuid_of(1))
    desk.ledger.begin_to_record = recording  # type: ignore[method-assign]
    await desk.put()
    assert desk.publisher.bodies == [(b"reply", 0)]
    assert desk.standing() is Standing.CLOSED


def failing_at_once(event: AnyEvent) -> asyncio.Future[bool]:
    raise TypeError("a mistake")


def failing_later(event: AnyEvent) -> asyncio.Future[bool]:
    recorded: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    recorded.set_exception(TypeError("a mistake"))
    return recorded


# Whose result it is.


@pytest.mark.parametrize("key", ["", "other", "KEY", "key ", "\ud800", "k" * 10_000])
async def test_a_wrong_key_of_a_known_submission_is_refused(key: str) -> None:
    desk = Desk()
    with pytest.raises(WrongKeyError):
        await desk.put(key=key)


@pytest.mark.parametrize("submission_id", [0, -1, 2, 2**53, 10**400])
async def test_an_id_that_was_never_leased_is_unknown_even_with_a_good_key(submission_id: int) -> None:
    desk = Desk()
    with pytest.raises(UnknownSubmissionError):
        await desk.results.take(submission_id, "key", b"reply", anywhere)


async def test_of_two_submissions_with_one_id_the_key_decides() -> None:
    desk = Desk()
    twin = 1 | 1 << 100
    assert submission_id_of(uuid_of(twin)) == id_of(1)
    desk.ledger.happens(leased(twin, START, "the twin's"))
    await desk.put(b"twin", key="the twin's")
    await desk.put(b"first")
    assert [submission for submission, *_ in desk.publisher.results] == [uuid_of(twin).hex(), uuid_of(1).hex()]
