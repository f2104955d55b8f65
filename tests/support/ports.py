"""Ports for servers of tests: each test process has its own, and none twice while there are others."""

import os
import random

from deploy.local.ports import is_free

# Below Linux's ephemeral ports (from 32768): on one of those an outgoing connection of anybody may sit when a server
# that was killed comes back for it. Clear of `make up`'s own and of those that it picks where they are taken.
_FIRST, _EACH, _PROCESSES = 10_000, 1_100, 5
_number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _PROCESSES
# Several runs on one machine begin at different places.
_last = random.randrange(_EACH)


def free_port(below: int = 0) -> int:
    """Return a port of loopback on which nobody listens, with so many such ports right below it."""
    global _last  # noqa: PLW0603 - one count for all of a process's tests
    for _ in range(_EACH):
        _last = (_last + below + 1) % _EACH
        port = _FIRST + _number * _EACH + _last
        if _last >= below and all(is_free(each) for each in range(port - below, port + 1)):
            return port
    raise OSError(f"no free port from {_FIRST + _number * _EACH} on")
