"""Mistakes of our own: an operator sees them, and nothing is lost, held for ever, or half dead."""

import asyncio

import pytest

from broker_setup.settings import Settings
from broker_setup.wire.parked import PARKED_REASON_HEADER
from callback_relay.incoming import Incoming
from callback_relay.relay import Relay
from callback_relay.schedule import Schedule
from tests.support.lms import FakeLMS
from tests.support.relay import Results, running_relay
from tests.support.waiting import eventually


def fail(*_: object, **__: object) -> None:
    raise ZeroDivisionError("the test says so")


@pytest.mark.parametrize("part", ["_found", "_write_graded"])
async def test_a_result_over_which_the_relay_stumbles_is_parked(
    settings: Settings, results: Results, lms: FakeLMS, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Incoming, part, fail)
        async with running_relay(settings):
            await results.put(lms.header())
            assert (await results.parked()).headers[PARKED_REASON_HEADER] == "unexpected error: ZeroDivisionError"


async def test_a_callback_whose_end_goes_wrong_is_in_the_log(
    settings: Settings,
    results: Results,
    lms: FakeLMS,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(Schedule, "ended", fail)
    async with running_relay(settings, until_idle=False):
        await results.put(lms.header())
        await eventually(lambda: "the test says so" in caplog.text)


async def test_a_relay_that_can_note_nothing_any_more_ends(
    settings: Settings, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay = Relay(settings)
    monkeypatch.setattr(relay._notes, "run", _fail_later)
    with pytest.raises(ZeroDivisionError):
        async with asyncio.timeout(60):
            await relay.run()


async def _fail_later() -> None:
    await asyncio.sleep(0)
    fail()
