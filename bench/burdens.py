"""What must not make a caller wait: an LMS that takes its time, graders that wait for work, and many queues."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from bench import goals
from bench.latencies import Latency, as_table
from bench.pace import Pace
from bench.payload import QUEUE
from bench.sections import Measured, Run
from bench.stack import BenchError, Stack
from deploy.local.ready import wait_until

SLOW_LMS, POLLS, QUEUES = "slow-lms", "polls", "queues"
BURDENS = (SLOW_LMS, POLLS, QUEUES)

COUNT, QUICK_COUNT = 1000, 200
# So few that the machine has room: it is a caller's wait for the gateway that is looked for, not the end of its speed.
AT_ONCE = 4
SLOW_SECONDS = 3.0
HELD_POLLS, QUICK_HELD_POLLS = 1000, 200
MANY_QUEUES, QUICK_MANY_QUEUES = 200, 20
IDLE_QUEUE = "idle"
DELIVERED_SECONDS = 120.0
ROOM_FOR_CLIENTS = 100


def steps(run: Run) -> int:
    """Say how often `measure` will call `done`."""
    return 2 * run.rounds * len(run.chosen.intersection(BURDENS))


def measure(run: Run) -> Measured:
    """Measure each burden that is chosen, in each round right after the same without it."""
    ways = {SLOW_LMS: _slow_lms, POLLS: _held_polls, QUEUES: _many_queues}
    found = [way(run) for name, way in ways.items() if name in run.chosen]
    return Measured(as_table(found), [one.as_dict() for one in found])


def _slow_lms(run: Run) -> Latency:
    """Put results while the relay posts to an LMS that answers at once, and to one that takes 3 s."""
    paces: dict[float, list[Pace]] = {0.0: [], SLOW_SECONDS: []}
    with run.stack() as stack, stack.running(), stack.relay():
        _graded(run, stack, "result")
        for _ in range(run.rounds):
            for seconds, found in paces.items():
                stack.sink("reset")
                stack.sink(f"delay/{seconds}")
                found.append(_graded(run, stack, "result"))
                stack.sink("delay/0")
                _wait_until_delivered(stack, _count(run))
                run.done()
    quick, slow = (min(pace.p99 for pace in found) for found in paces.values())
    burden = f"an LMS that takes {SLOW_SECONDS:.0f} s"
    return Latency("put_result p99", burden, quick, slow, goals.SLOW_LMS)


def _held_polls(run: Run) -> Latency:
    """Take submissions of one queue while graders wait for those of another, in which there are none."""
    held = QUICK_HELD_POLLS if run.quick else HELD_POLLS
    alone, beside = [], []
    queues, room = json.dumps({QUEUE: None, IDLE_QUEUE: None}), str(held + ROOM_FOR_CLIENTS)
    with run.stack(XQUEUE_XQUEUES=queues, XQUEUE_MAX_CONNECTIONS=room) as stack, stack.running():
        _graded(run, stack, "poll")
        for _ in range(run.rounds):
            alone.append(_graded(run, stack, "poll"))
            run.done()
            with stack.beside("bench.hold", stack.gateway_port, held, IDLE_QUEUE):
                beside.append(_graded(run, stack, "poll"))
            run.done()
    burden = f"{held:,} long polls held"
    return Latency("get_submission p50", burden, _median(alone), _median(beside), goals.HELD_POLLS)


def _many_queues(run: Run) -> Latency:
    """Take submissions from a gateway that has one queue, and from one that has many."""
    many = QUICK_MANY_QUEUES if run.quick else MANY_QUEUES
    queues = json.dumps({QUEUE: None} | {f"course-{number}": None for number in range(many)})
    paces: list[list[Pace]] = [[], []]
    with _both(run, queues) as stacks:
        for stack in stacks:
            _graded(run, stack, "poll")
        for _ in range(run.rounds):
            for stack, found in zip(stacks, paces, strict=True):
                found.append(_graded(run, stack, "poll"))
                run.done()
    one, more = map(_median, paces)
    return Latency("get_submission p50", f"{many} queues configured", one, more, goals.MANY_QUEUES)


@contextmanager
def _both(run: Run, queues: str) -> Iterator[Sequence[Stack]]:
    with ExitStack() as running:
        stacks = [running.enter_context(run.stack()), running.enter_context(run.stack(XQUEUE_XQUEUES=queues))]
        for stack in stacks:
            running.enter_context(stack.running())
        yield stacks


def _graded(run: Run, stack: Stack, what: str) -> Pace:
    """Submit, then grade all of it; the pace is that of the call `what` alone."""
    count = _count(run)
    stack.measure(
        "bench.load", "submit", stack.gateway_port, count, AT_ONCE, stack.callback_url, next(run.numbers) * count
    )
    return stack.measure("bench.load", what, stack.gateway_port, count, AT_ONCE)


def _wait_until_delivered(stack: Stack, count: int) -> None:
    if not wait_until(lambda: stack.sink()["distinct"] >= count, DELIVERED_SECONDS):
        raise BenchError(f"of {count} results the LMS got {stack.sink()}")


def _count(run: Run) -> int:
    return QUICK_COUNT if run.quick else COUNT


def _median(paces: Sequence[Pace]) -> float:
    return min(pace.p50 for pace in paces)
