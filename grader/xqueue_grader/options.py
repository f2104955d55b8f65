"""How a grader works, as its author says."""

from dataclasses import dataclass

from xqueue_grader.pools import Workers
from xqueue_grader.watching import Watch


@dataclass(frozen=True)
class Options:
    """How a grader works.

    `at_once` submissions are graded at a time, in `workers` unless the function is a coroutine, for `timeout` seconds
    each at most. It holds `prefetch` of each queue (`at_once`, if None): those beyond what it grades wait here, for
    nobody else. When it is stopped, what is under way has `stop_grace` seconds. What came back to its queue `returns`
    times without an end is rejected ungraded, as it may be what kills graders: that is a failed attempt, and each one
    halves what is tolerated in the next, down to one. `watch` is told of each.
    """

    at_once: int = 4
    workers: Workers = Workers.THREADS
    timeout: float | None = None
    prefetch: int | None = None
    stop_grace: float = 20.0
    returns: int = 20
    watch: Watch | None = None


def tolerated_returns(attempt: int, returns: int) -> int:
    """Say after how many returns a submission is not graded in its `attempt`th attempt, if `returns` in its first.

    Half as many after each attempt that failed, one at the least: gateways and graders that stop give back what is not
    at fault, and the broker counts that like a death (up to 4.2), so what never failed has room for it.
    """
    return max(1, returns >> max(0, attempt - 1))
