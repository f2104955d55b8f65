"""Ports for servers of tests: each test process has its own, and none twice while there are others."""

import atexit
import functools
import random
import socket

from deploy.local.ports import LOOPBACK, is_free

# Below Linux's ephemeral ports (from 32768): on one of those an outgoing connection of anybody may sit when a server
# that was killed comes back for it. Clear of `make up`'s own and of those that it picks where they are taken.
_FIRST, _EACH, _BLOCKS = 10_000, 200, 27
_last = random.randrange(1, _EACH)


def free_port(below: int = 0) -> int:
    """Return a port of loopback on which nobody listens, with so many such ports right below it."""
    global _last  # noqa: PLW0603 - one count for all of a process's tests
    for _ in range(_EACH):
        _last = (_last + below + 1) % _EACH
        port = _block()[0] + _last
        if _last > below and all(is_free(each) for each in range(port - below, port + 1)):
            return port
    raise OSError(f"no free port from {_block()[0]} on")


@functools.cache
def _block() -> tuple[int, socket.socket]:
    """Return the first port of this process's own, and what shows other processes, of other runs too, that they are.

    Without that, one run's test asks at a port where its server is to be, and reaches the server of another run's.
    """
    for number in random.sample(range(_BLOCKS), _BLOCKS):
        first = _FIRST + number * _EACH
        claim = socket.socket()  # bound without SO_REUSEADDR, and to the end of the process
        try:
            claim.bind((LOOPBACK, first))
        except OSError:
            claim.close()
        else:
            atexit.register(claim.close)
            return first, claim
    raise OSError(f"{_BLOCKS} processes have the ports of tests, from {_FIRST} on: end some of those test runs")
