"""A machine's clock that is set, ahead or back, ends no lease, prolongs none, and keeps no delivery for ever."""

import pytest

from broker_setup.errors import BrokerUnavailableError
from broker_setup.ledger.events import Leased
from tests.support.leasing import DELAY, Scene
from tests.support.ledger_events import leased, uuid_of


@pytest.mark.parametrize("jump", [180.0, -180.0, 90_000.0])
async def test_a_lease_given_here_runs_as_long_as_it_should_whatever_is_done_to_the_clock(jump: float) -> None:
    scene = Scene()
    tag = scene.deliver(1)
    await scene.poll()
    scene.off = jump
    scene.pass_time(DELAY - 1)
    assert await scene.sent() == []
    scene.pass_time(1)
    assert await scene.sent() == [("requeue", tag)]


async def test_an_adopted_delivery_goes_back_in_time_though_the_clock_stepped_back() -> None:
    scene = Scene()
    scene.off = 180.0
    scene.hears(leased(1, scene.now + scene.off, "its key", until=scene.now + scene.off + DELAY))
    scene.pass_time(DELAY - 1)
    scene.off = 0.0
    tag = scene.deliver(1)
    assert await scene.sent() == []
    scene.pass_time(1)
    assert await scene.sent() == [("requeue", tag)]


async def test_what_a_gateway_whose_clock_was_behind_leased_before_it_died_is_not_handed_out_again_at_once() -> None:
    scene = Scene()
    scene.hears(leased(1, scene.now - 90, "its key", until=scene.now - 90 + DELAY))
    scene.deliver(1)
    assert await scene.queue.take() == []


async def test_a_lease_that_ran_out_is_given_anew_though_by_its_writers_clock_it_has_not() -> None:
    scene = Scene()
    scene.hears(leased(1, scene.now + 180, "its key", until=scene.now + 180 + DELAY))
    scene.pass_time(DELAY)
    scene.deliver(1)
    await scene.poll()
    events = [event for event in scene.ledger.events if isinstance(event, Leased)]
    assert events[-1].submission == uuid_of(1)
    # Dated so that gateways that go by the times alone find it valid, too.
    assert events[-1].at == events[0].expires_at
    assert events[-1].expires_at - events[-1].at == DELAY


async def test_a_gateway_whose_clock_is_wrong_hands_nothing_out_and_says_why() -> None:
    scene = Scene()
    scene.deliver(1)
    scene.ledger.clock_problem = "this machine's clock is 180 s ahead of the others'"
    with pytest.raises(BrokerUnavailableError, match="180 s ahead"):
        await scene.queue.take()
    scene.ledger.clock_problem = ""
    await scene.poll()
