"""A virtual host with course queues on it, and both sides of them."""

from collections.abc import AsyncIterator

import pytest

from tests.support.broker import VHost
from tests.support.grading import Course, course_at


@pytest.fixture
async def course(vhost: VHost) -> AsyncIterator[Course]:
    async with course_at(vhost.amqp_url) as both_sides:
        yield both_sides
