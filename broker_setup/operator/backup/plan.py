"""Which queues an export walks over, in which order; no I/O."""

from collections.abc import Iterable

from broker_setup.topology import (
    CHECKED_QUEUE,
    FORMER_RUNGS,
    LEDGER,
    MIGRATING,
    NOTICES,
    REGRADE_LOCK,
    RELAY_LOCK,
    RESULTS_PARKED,
    RESULTS_QUEUE,
    RUNGS,
    SUBMISSIONS_EXCHANGE,
    SUBMISSIONS_FAILED,
    SUBMISSIONS_PARKED,
    is_ours,
)

# The way that work goes: what is on its way meanwhile is met where it comes to, or is met twice.
_WAY = (SUBMISSIONS_FAILED, RESULTS_QUEUE, CHECKED_QUEUE)
_END = (RESULTS_PARKED, SUBMISSIONS_PARKED)

_PLACES = ((SUBMISSIONS_EXCHANGE, 0), (RUNGS, 2), (FORMER_RUNGS, 2), (NOTICES, 4))


def to_walk(names: Iterable[str]) -> list[str]:
    """Put all of our queues but the ledger into the order in which work goes through them; leave all others out."""
    ours = [
        name
        for name in set(names)
        if is_ours(name) and name not in {LEDGER, RELAY_LOCK, REGRADE_LOCK} and not name.startswith(MIGRATING)
    ]
    return sorted(ours, key=lambda name: (_place(name), name))


def beyond_courses(names: Iterable[str]) -> list[str]:
    """Pick the queues where comes what a gateway, a grader or the relay had in hand when others were walked over."""
    return [name for name in names if _place(name) in {1, 2, 3}]


def _place(name: str) -> int:
    if name in _WAY:
        return 1
    if name in _END:
        return 3
    return next((place for begins, place in _PLACES if name.startswith(f"{begins}.")), 5)
