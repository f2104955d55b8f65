"""A schedule with room for a few, for the tests of what it orders."""

import pytest

from callback_relay.job import Job
from callback_relay.schedule import Schedule
from tests.support.schedules import ROOM, schedule_of


@pytest.fixture
def schedule() -> Schedule[Job]:
    return schedule_of(ROOM)
