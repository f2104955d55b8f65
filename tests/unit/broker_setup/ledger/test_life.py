"""Whether the ledger still comes: a marker when it is quiet, proof when that is confirmed and does not come."""

import asyncio

import pytest

from broker_setup.errors import BrokerUnavailableError
from broker_setup.ledger.life import LOOK_SECONDS, LOOKS_FOR_MARKER, QUIET_SECONDS, SPREAD, TOO_OLD_SECONDS, Life, Sign


class Desk:
    """A reader's watch, with a clock by hand and markers that a test confirms."""

    def __init__(self) -> None:
        self.now = 100.0
        self.markers: list[asyncio.Future[None]] = []
        self.life = Life(self.write, clock=lambda: self.now)
        self.full = False

    def write(self) -> asyncio.Future[None]:
        if self.full:
            raise BrokerUnavailableError("the ledger takes nothing at the moment")
        self.markers.append(asyncio.get_running_loop().create_future())
        return self.markers[-1]

    def look(self, seconds: float) -> Sign:
        """Let that much time pass, and return what the last look found."""
        sign = Sign.WELL
        for _ in range(round(seconds / LOOK_SECONDS)):
            self.now += LOOK_SECONDS
            sign = self.life.look()
            if sign is Sign.STALLED:
                break
        return sign


async def test_while_frames_come_no_marker_is_written() -> None:
    desk = Desk()
    for _ in range(20):
        assert desk.look(QUIET_SECONDS - LOOK_SECONDS) is Sign.WELL
        desk.life.heard()
    assert desk.markers == []


async def test_an_idle_ledger_costs_one_marker_in_some_seconds() -> None:
    desk = Desk()
    for _ in range(20):
        before = len(desk.markers)
        assert desk.look(SPREAD * QUIET_SECONDS + LOOK_SECONDS) is Sign.WELL
        assert len(desk.markers) == before + 1
        desk.markers[-1].set_result(None)
        desk.life.heard()


async def test_what_is_confirmed_and_does_not_come_is_proof_within_seconds() -> None:
    desk = Desk()
    desk.look(SPREAD * QUIET_SECONDS + LOOK_SECONDS)
    desk.markers[-1].set_result(None)
    began = desk.now
    assert desk.look(60) is Sign.STALLED
    assert desk.now - began <= (LOOKS_FOR_MARKER + 2) * LOOK_SECONDS


async def test_a_frame_of_ours_that_is_confirmed_and_does_not_come_is_proof_without_waiting_for_quiet() -> None:
    desk = Desk()
    confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    desk.life.wrote(confirmed)
    assert desk.look(LOOK_SECONDS) is Sign.WELL
    confirmed.set_result(None)
    desk.life.wrote(asyncio.get_running_loop().create_future())  # the next is not waited for
    began = desk.now
    assert desk.look(60) is Sign.STALLED
    assert desk.now - began <= (LOOKS_FOR_MARKER + 2) * LOOK_SECONDS < QUIET_SECONDS + LOOK_SECONDS * 3
    assert desk.markers == []


async def test_a_frame_of_ours_that_comes_before_its_confirm_proves_nothing() -> None:
    desk = Desk()
    confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    desk.life.wrote(confirmed)
    desk.life.heard()
    confirmed.set_result(None)
    assert desk.look(QUIET_SECONDS - LOOK_SECONDS) is Sign.WELL


async def test_where_nothing_can_be_written_nothing_is_proved_and_what_is_known_grows_too_old() -> None:
    desk = Desk()
    desk.full = True
    assert desk.look(TOO_OLD_SECONDS) is Sign.WELL
    assert desk.look(5) is Sign.TOO_OLD
    desk.full = False
    desk.look(LOOK_SECONDS)
    desk.markers[-1].set_exception(BrokerUnavailableError("not confirmed"))
    assert desk.look(60) is Sign.TOO_OLD
    assert len(desk.markers) == 2, "written again after it failed"
    desk.life.heard()
    assert desk.look(LOOK_SECONDS) is Sign.WELL


async def test_a_process_that_was_frozen_has_proved_nothing() -> None:
    desk = Desk()
    desk.look(SPREAD * QUIET_SECONDS + LOOK_SECONDS)
    desk.markers[-1].set_result(None)
    desk.now += 3_600
    assert desk.life.look() is Sign.TOO_OLD
    desk.life.heard()
    assert desk.life.look() is Sign.WELL


@pytest.mark.parametrize("late", [0.0, 1.0, 2.0])
async def test_a_marker_that_comes_late_is_a_sign_of_life(late: float) -> None:
    desk = Desk()
    desk.look(SPREAD * QUIET_SECONDS + LOOK_SECONDS)
    desk.markers[-1].set_result(None)
    assert desk.look(late) is Sign.WELL
    desk.life.heard()
    assert desk.look(QUIET_SECONDS - LOOK_SECONDS) is Sign.WELL
