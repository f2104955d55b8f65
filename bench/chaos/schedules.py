"""What is played on the cluster: where everybody stands, what happens, and what may come of it at the most."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.chaos.cluster import Leaders
from bench.chaos.cuts import is_cut_off
from bench.chaos.faults import Fault, dies, dies_under_results, freezes, is_apart, loses_its_copy
from bench.chaos.journal import ANSWER_SECONDS, EMPTY, TAKEN, Journal
from bench.chaos.site import AMQP_GRADER, BRIDGE, GATEWAYS, RELAYS

A, B, C = GATEWAYS
# Each process begins on a node; what happens, happens to the third.
FIRST, SECOND, VICTIM = 0, 1, 2
NOBODY_THERE = {A: FIRST, B: SECOND, C: FIRST, RELAYS[0]: FIRST, RELAYS[1]: SECOND, BRIDGE: SECOND, AMQP_GRADER: FIRST}
A_IS_THERE = NOBODY_THERE | {A: VICTIM, RELAYS[0]: VICTIM}

# A quorum queue elects in 7 to 8 s; refusals take 2.5 s.
ELECTION = 14
# A stream's writer is replaced when its node counts as down, after 8 to 13 s at a net_ticktime of 10.
NODE_DOWN = 25
# What is to be found out by a marker, and healed.
HEALED = 15
# What is written and does not come back is proof after 3 to 4 s; until then /readyz knows of nothing.
PROOF = 5
# A heartbeat's time in which nothing came, and a second to look; then a connection and what waited on the old one.
FROZEN = 18
# After this long without the ledger, "is empty" would be a guess.
KNOWN_SECONDS = 12
# What is on its way from a rung as its target dies is sent again after 15 s, and looked for that often. Before that,
# the LMS has been sick for 8 s, and the relay tries such a one with care.
BETWEEN_QUEUES = 60


@dataclass(frozen=True)
class Evidence:
    """What was seen while a schedule was played; times are of the journal's clock."""

    journal: Journal
    since: float
    until: float  # the fault's end
    ended: float
    drained: float  # how long after the fault all was posted
    connections: Mapping[str, int]  # how often each process connected anew


@dataclass(frozen=True)
class Bound:
    """Something that is measured, and what it may be at the most."""

    what: str
    measure: Callable[[Evidence], float]
    at_most: float


NOTHING_LOST = (
    Bound("accepted and lost", lambda seen: len(seen.journal.missing), 0),
    Bound("doubly leased", lambda seen: len(seen.journal.doubly_leased(60)), 0),
    Bound("results turned down", lambda seen: len(seen.journal.turned_down), 0),
)
IN_TIME = (
    Bound("s until all was posted", lambda seen: seen.drained, 90),
    Bound("slowest answer, s", lambda seen: seen.journal.slowest_answer, ANSWER_SECONDS),
    Bound("slowest answer after a standstill, s", lambda seen: seen.journal.slowest_after_standstill, ANSWER_SECONDS),
)


@dataclass(frozen=True)
class Schedule:
    """One run: who begins where, and what happens for how many seconds."""

    name: str
    rows: str
    leaders: Leaders
    homes: Mapping[str, int]
    fault: Fault
    seconds: float
    bounds: Sequence[Bound] = field(default=())
    clocks: Mapping[str, int] = field(default_factory=dict)  # seconds by which a process's clock is off
    takes_namespace: bool = False
    always: Sequence[Bound] = (*NOTHING_LOST, *IN_TIME)
    thinking: float = 0.05  # seconds that a grader takes
    warm_up: float = 4.0  # seconds of the load alone, before anything happens
    after: float = 10.0  # ... and after it


def refused(kind: str, gateway: str, at_most: float) -> Bound:
    """Bound the seconds in which calls of a kind were refused at a gateway, during the fault or after it."""
    return Bound(
        f"s with {kind}s refused at {gateway}",
        lambda seen: seen.journal.seconds(kind, gateway, seen.since, seen.ended),
        at_most,
    )


def both(submit: float, poll: float, result: float) -> list[Bound]:
    """Bound the three kinds of calls at all gateways alike."""
    allowed = {"submit": submit, "poll": poll, "result": result}
    return [refused(kind, gateway, most) for kind, most in allowed.items() for gateway in GATEWAYS]


def at(gateway: str, most: float) -> list[Bound]:
    """Bound the three kinds of calls at one gateway."""
    return [refused(kind, gateway, most) for kind in ("submit", "poll", "result")]


def connections(gateway: str, at_most: int) -> Bound:
    """Bound how often a gateway connects anew."""
    return Bound(f"new connections of {gateway}", lambda seen: seen.connections[gateway], at_most)


def empty_though_cut_off(seen: Evidence) -> float:
    """Count the seconds in which a gateway guessed that there is nothing; a poll that was answered later was none."""
    polls = seen.journal.of("poll", A, seen.since + KNOWN_SECONDS, seen.until)
    return len({int(call.ended) for call in polls if call.outcome == EMPTY and call.ended < seen.until})


def ready_though_refusing(seen: Evidence) -> float:
    """Count the seconds in which /readyz said that all is well while every poll was refused."""
    journal, since, until = seen.journal, seen.since, seen.ended
    refusing = journal.seconds_of("poll", A, since, until, "refused")
    good = journal.seconds_of("poll", A, since, until, EMPTY) | journal.seconds_of("poll", A, since, until, TAKEN)
    return len((refusing - good) & journal.seconds_of("ready", A, since, until, TAKEN))


def _slowest(seen: Evidence) -> float:
    return seen.journal.slowest


def repeats(at_most: int) -> Bound:
    """Bound the callbacks that came again: what a relay had at hand when it lost the broker."""
    return Bound("posted again", lambda seen: seen.journal.repeats, at_most)


ELSEWHERE = Leaders(course=FIRST, ledger=SECOND, results=FIRST)

SCHEDULES = (
    Schedule(
        "a course queue's leader freezes",
        "3, 32",
        Leaders(course=VICTIM, ledger=FIRST, results=SECOND),
        NOBODY_THERE,
        freezes(VICTIM),
        60,
        [*both(ELECTION, ELECTION, 3), connections(A, 0), connections(B, 0), repeats(0)],
    ),
    Schedule(
        "the ledger's writer freezes",
        "32, 33",
        Leaders(course=FIRST, ledger=VICTIM, results=SECOND),
        NOBODY_THERE,
        freezes(VICTIM),
        40,
        [*both(0, NODE_DOWN, NODE_DOWN), repeats(0)],
    ),
    Schedule(
        "the results' leader freezes",
        "3, 32",
        Leaders(course=FIRST, ledger=SECOND, results=VICTIM),
        NOBODY_THERE,
        freezes(VICTIM),
        40,
        [*both(0, 3, ELECTION), connections(A, 0), connections(B, 0), repeats(32)],
    ),
    Schedule(
        "the node that leads all dies",
        "32, 33",
        Leaders(course=VICTIM, ledger=VICTIM, results=VICTIM),
        NOBODY_THERE,
        dies(VICTIM),
        30,
        [*both(ELECTION, ELECTION, ELECTION), repeats(32)],
    ),
    Schedule(
        "a gateway's node dies",
        "34",
        ELSEWHERE,
        A_IS_THERE,
        dies(VICTIM),
        30,
        [*at(A, 5), *at(B, 0), repeats(32)],
    ),
    Schedule(
        "a gateway's node freezes",
        "34",
        ELSEWHERE,
        A_IS_THERE,
        freezes(VICTIM),
        40,
        [*at(A, FROZEN), *at(B, 0), repeats(32)],
    ),
    Schedule(
        "the ledger's copy under a gateway is deleted",
        "31",
        ELSEWHERE,
        A_IS_THERE,
        loses_its_copy(VICTIM),
        30,
        [
            *at(A, HEALED),
            *at(B, 0),
            Bound("s ready though refusing at gateway a", ready_though_refusing, PROOF),
            repeats(0),
        ],
    ),
    Schedule(
        "a gateway is cut off",
        "35, 36",
        ELSEWHERE,
        NOBODY_THERE,
        is_cut_off(A),
        40,
        [
            Bound("s of guessing 'is empty'", empty_though_cut_off, 0),
            Bound("s ready though refusing at gateway a", ready_though_refusing, PROOF),
            *at(B, 0),
            connections(A, 12),
            repeats(0),
        ],
    ),
    Schedule(
        "a node is apart from the other two",
        "33, 39",
        Leaders(course=VICTIM, ledger=VICTIM, results=VICTIM),
        A_IS_THERE,
        is_apart(VICTIM),
        40,
        [*at(A, NODE_DOWN), *at(B, NODE_DOWN), repeats(32)],
    ),
    Schedule(
        "the results' leader dies as results come back",
        "40",
        Leaders(course=FIRST, ledger=SECOND, results=VICTIM),
        NOBODY_THERE,
        dies_under_results(VICTIM),
        30,
        [
            *both(2, 3, ELECTION),
            Bound("s from result to callback, slowest", _slowest, BETWEEN_QUEUES),
            repeats(32),
        ],
    ),
)
