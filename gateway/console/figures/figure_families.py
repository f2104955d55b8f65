"""Every metric of a site: its name, what it means, and how the figures show it at a moment."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from broker_setup.ledger.state import LedgerState
from gateway.console.figures.figures import OTHER, Figures
from gateway.console.figures.queue_figures import QueueFigures, Times
from gateway.figures.families import Family, Sample, number

QUEUE = "xqueue_queue"
CONSOLE = "xqueue_console"
LABELS = ("queue",)

_COUNTERS = {
    "submitted": "Submissions that were taken from LMSs",
    "graded": "Submissions whose first result is stored",
    "leases_expired": "Leases that ran out",
    "failed_attempts": "Leases that ran out, or were released as failed",
    "superseded": "Submissions that left ungraded, as a newer one of the same student and problem had come",
    "parked": "Submissions that were parked",
}


@dataclass(frozen=True)
class Moment:
    """When it is, in seconds since the epoch, and what the broker says of it."""

    now: float
    ready: Mapping[str, int]  # of each queue, as far as the broker could be asked lately
    paused: Collection[str]
    ledger_lag: float
    ledger_is_caught_up: bool
    connections: Mapping[str, bool]
    logins_refused: int
    logins_throttled: int


def families_of(figures: Figures, state: LedgerState, moment: Moment) -> Iterator[Family]:
    """Show the figures of a site, and how the console is that adds them up."""
    yield from _gauges(figures, state, moment)
    for what, text in _COUNTERS.items():
        yield _family(f"{what}_total", text, {name: each.counts[what] for name, each in figures.queues.items()})
    yield _times("waiting_seconds", "From a submit until a grader got it", _each(figures, lambda queue: queue.waited))
    yield _times("grading_seconds", "From then until its result came", _each(figures, lambda queue: queue.graded))
    yield number("xqueue_site_ledger_lag_seconds", "How far these figures are behind the ledger", moment.ledger_lag)
    yield number(f"{CONSOLE}_ledger_caught_up", "1 while all of the ledger is known here", moment.ledger_is_caught_up)
    yield number(f"{CONSOLE}_logins_refused_total", "Passwords that were wrong", moment.logins_refused)
    throttled = "Passwords not looked at, as too many were wrong"
    yield number(f"{CONSOLE}_logins_throttled_total", throttled, moment.logins_throttled)
    yield Family(
        f"{CONSOLE}_broker_connection_up",
        "1 while the connection to the broker stands",
        ("connection",),
        tuple(Sample((name,), (float(is_up),)) for name, is_up in moment.connections.items()),
    )


def _gauges(figures: Figures, state: LedgerState, moment: Moment) -> Iterator[Family]:
    now, queues = moment.now, figures.queues
    leased = Counter(lease.queue if lease.queue in queues else OTHER for lease in state.running(now))
    waiting = {name: _waiting(name, each, state, moment, leased[name]) for name, each in queues.items()}
    since = {name: figures.oldest(name, now) if waiting[name] else None for name in queues}
    ages = {name: 0.0 if at is None else max(0.0, now - at) for name, at in since.items()}
    yield _family("waiting", "Submissions that wait, and nobody has leased", waiting)
    yield _family("leased", "Submissions that a grader has leased", {name: leased[name] for name in queues})
    yield _family("parked", "Submissions that are parked", {name: len(each.parked) for name, each in queues.items()})
    yield _family("oldest_waiting_seconds", "For how long the oldest has waited; 0 if none does", ages)
    yield _family("paused", "1 while an operator has it paused", {name: name in moment.paused for name in queues})
    yield _family(
        "graders",
        "Graders that did something in the last 5 minutes",
        {name: each.graders(now) for name, each in queues.items()},
    )


def _waiting(name: str, queue: QueueFigures, state: LedgerState, moment: Moment, leased: int) -> int:
    ready = moment.ready.get(name)
    if ready is not None:
        return state.waiting_in(name, ready, moment.now)
    # The ledger alone: with what AMQP graders hold, and what gateways hold for the next polls.
    return max(0, len(queue.waiting) - leased - state.superseded_in(name))


def _each(figures: Figures, what: Callable[[QueueFigures], Times]) -> dict[str, Times]:
    return {name: what(queue) for name, queue in figures.queues.items()}


def _family(name: str, text: str, values: Mapping[str, float]) -> Family:
    return Family(f"{QUEUE}_{name}", text, LABELS, tuple(Sample((queue,), (value,)) for queue, value in values.items()))


def _times(name: str, text: str, times: Mapping[str, Times]) -> Family:
    samples = tuple(Sample((queue,), (*each.buckets, each.seconds)) for queue, each in times.items())
    [bounds] = {each.bounds for each in times.values()}
    return Family(f"{QUEUE}_{name}", text, LABELS, samples, bounds=bounds)
