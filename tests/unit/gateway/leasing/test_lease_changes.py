"""Leases that are extended or given back early: by their key alone, up to the cap, and in the ledger's order."""

import asyncio

import pytest

from broker_setup.errors import BrokerUnavailableError
from broker_setup.ledger.answers import Standing
from broker_setup.ledger.events import Extended, Released, hash_key
from gateway.leasing.lease_changes import LeaseChanges
from gateway.leasing.results import UnknownSubmissionError, WrongKeyError
from gateway.leasing.returns import Returns
from tests.support.leasing import DELAY, FakeLedger, anywhere, turns
from tests.support.ledger_events import graded, id_of, leased, released, retired, uuid_of

START = 1_000.0
CAP = 600.0


class Desk:
    """Where graders ask; submission 1 is leased under the key `key` for 60 of at most 600 s."""

    def __init__(self) -> None:
        self.now = START + 10
        self.ledger = FakeLedger()
        self.ledger.happens(leased(1, START, "key", until=START + DELAY))
        self.changes = LeaseChanges(
            self.ledger.as_ledger,
            {"openedx": CAP}.__getitem__,
            Returns(lambda: self.now),
            clock=lambda: self.now,
            steady=lambda: self.now,
        )

    async def extend(self, seconds: float, key: str = "key", number: int = 1) -> float:
        return await self.changes.extend(id_of(number), key, seconds, anywhere)

    async def release(self, key: str = "key", number: int = 1, *, delay: float = 0.0, failed: bool = False) -> None:
        await self.changes.release(id_of(number), key, anywhere, delay=delay, failed=failed)

    def standing(self, now: float) -> Standing:
        return self.ledger.state.standing(uuid_of(1), now)


async def test_an_extended_lease_runs_from_now_and_says_until_when() -> None:
    desk = Desk()
    assert await desk.extend(120) == desk.now + 120
    assert desk.ledger.events[-1] == Extended(desk.now, uuid_of(1), hash_key("key"), desk.now + 120)
    assert desk.standing(desk.now + 119) is Standing.LEASED
    assert desk.standing(desk.now + 120) is Standing.FREE


async def test_no_lease_lasts_longer_than_the_cap_however_often_it_is_extended() -> None:
    desk = Desk()
    assert await desk.extend(1e9) == START + CAP
    desk.now = START + CAP - 1
    assert await desk.extend(1e9) == START + CAP
    desk.now = START + CAP
    with pytest.raises(WrongKeyError):
        await desk.extend(60)


@pytest.mark.parametrize("seconds", [0.0, 1.0, -5.0])
async def test_extending_never_shortens_a_lease(seconds: float) -> None:
    desk = Desk()
    assert await desk.extend(seconds) == START + DELAY
    assert desk.standing(START + DELAY - 1) is Standing.LEASED


async def test_a_lease_that_was_longer_than_the_cap_from_the_beginning_is_left_as_it_is() -> None:
    desk = Desk()
    desk.ledger.happens(leased(2, START, "long", until=START + 10 * CAP))
    assert await desk.extend(60, key="long", number=2) == START + 10 * CAP


async def test_a_released_submission_may_be_leased_at_once() -> None:
    desk = Desk()
    await desk.release()
    assert desk.ledger.events[-1] == Released(desk.now, uuid_of(1), hash_key("key"), desk.now, failed=False)
    assert desk.standing(desk.now) is Standing.FREE
    assert desk.ledger.happens(leased(1, desk.now, "next"))


async def test_a_released_submission_is_held_back_for_the_delay_and_a_failure_is_told() -> None:
    desk = Desk()
    await desk.release(delay=30, failed=True)
    assert desk.ledger.events[-1] == Released(desk.now, uuid_of(1), hash_key("key"), desk.now + 30, failed=True)
    assert desk.standing(desk.now + 29) is Standing.LEASED
    assert desk.standing(desk.now + 30) is Standing.FREE


async def test_no_release_holds_a_submission_back_for_longer_than_a_lease_may_last() -> None:
    desk = Desk()
    await desk.release(delay=1e9)
    assert desk.standing(desk.now + CAP - 1) is Standing.LEASED
    assert desk.standing(desk.now + CAP) is Standing.FREE


async def test_a_released_key_is_good_for_nothing_any_more() -> None:
    desk = Desk()
    await desk.release(delay=30)
    for again in (desk.release(), desk.extend(60)):
        with pytest.raises(WrongKeyError):
            await again


@pytest.mark.parametrize("key", ["", "other", "\ud800"])
async def test_a_wrong_key_changes_nothing(key: str) -> None:
    desk = Desk()
    before = list(desk.ledger.events)
    for change in (desk.release(key), desk.extend(60, key)):
        with pytest.raises(WrongKeyError):
            await change
    assert desk.ledger.events == before


async def test_a_submission_that_nobody_leased_is_unknown() -> None:
    desk = Desk()
    for change in (desk.release(number=7), desk.extend(60, number=7)):
        with pytest.raises(UnknownSubmissionError):
            await change


async def test_a_lease_that_ran_out_is_neither_extended_nor_released() -> None:
    desk = Desk()
    desk.now = START + DELAY
    for change in (desk.release(), desk.extend(60)):
        with pytest.raises(WrongKeyError):
            await change


async def test_a_settled_lease_is_neither_extended_nor_released() -> None:
    desk = Desk()
    desk.ledger.happens(graded(1, desk.now, "key"))
    for change in (desk.release(), desk.extend(60)):
        with pytest.raises(WrongKeyError):
            await change


@pytest.mark.parametrize(
    "first",
    [released(1, START + 9, "key"), graded(1, START + 9, "key"), retired(1, START + 9)],
)
async def test_where_something_else_came_first_in_the_ledger_the_grader_is_refused(first: object) -> None:
    for change in ("extend", "release"):
        desk = Desk()
        desk.ledger.unread = [first]  # type: ignore[list-item]
        with pytest.raises(WrongKeyError, match="ended in that moment"):
            await (desk.extend(60) if change == "extend" else desk.release())


async def test_a_lease_that_this_gateway_has_not_read_of_yet_is_extended_and_released() -> None:
    for change in ("extend", "release"):
        desk = Desk()
        desk.ledger.unread = [leased(2, START, "elsewhere", until=START + DELAY)]
        await (desk.extend(120, "elsewhere", 2) if change == "extend" else desk.release("elsewhere", 2))
        assert isinstance(desk.ledger.events[-1], Extended | Released)


async def test_a_change_is_refused_only_by_a_ledger_that_is_up_to_date() -> None:
    desk = Desk()
    desk.ledger.away = True
    for change in (desk.release("other"), desk.extend(60, number=7)):
        with pytest.raises(BrokerUnavailableError):
            await change


async def test_nobody_is_told_before_it_stands_in_the_ledger_and_without_it_all_stays_as_it_was() -> None:
    desk = Desk()
    desk.ledger.in_time.clear()
    extending = asyncio.create_task(desk.extend(120))
    await turns()
    assert not extending.done()
    desk.ledger.away = True
    desk.ledger.in_time.set()
    with pytest.raises(BrokerUnavailableError):
        await extending
    assert desk.standing(START + DELAY) is Standing.FREE
