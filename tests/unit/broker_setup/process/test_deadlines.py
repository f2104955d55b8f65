"""What is not done in time fails, each at its own time, and what is done in time costs nothing later."""

import asyncio

import pytest

from broker_setup.errors import BrokerUnavailableError
from broker_setup.process.deadlines import Deadlines
from tests.support.waiting import eventually


def too_late() -> BrokerUnavailableError:
    return BrokerUnavailableError("too late")


async def test_each_that_is_late_fails_and_none_that_was_done_or_given_up() -> None:
    loop = asyncio.get_running_loop()
    deadlines = Deadlines(0.05, too_late)
    done, given_up, late, later = futures = [loop.create_future() for _ in range(4)]
    for future in futures[:3]:
        deadlines.limit(future)
    done.set_result("in time")
    given_up.cancel()
    with pytest.raises(BrokerUnavailableError, match="too late"):
        await late
    deadlines.limit(later)
    with pytest.raises(BrokerUnavailableError, match="too late"):
        await later
    assert done.result() == "in time"
    assert given_up.cancelled()


async def test_what_is_done_is_not_kept_and_no_timer_runs_for_nothing() -> None:
    loop = asyncio.get_running_loop()
    deadlines = Deadlines(0.02, too_late)
    for _ in range(100):
        future = loop.create_future()
        deadlines.limit(future)
        future.set_result(None)
    assert len(deadlines._limited) == 1
    await eventually(lambda: deadlines._timer is None)
    assert not deadlines._limited
