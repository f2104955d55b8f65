"""Lets queues have every name that RabbitMQ takes: pamqp knows fewer, and raises for a course queue such as AT&T-x."""

import re

from pamqp import constants

_ANY = re.compile(r".*", re.DOTALL)


def take_any_queue_name() -> None:
    """Make pamqp leave it to the broker which names will do, in this process from now on."""
    constants.DOMAIN_REGEX["queue-name"] = _ANY
