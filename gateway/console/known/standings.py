"""How a submission stands after each event, in a word that a search can name; no I/O."""

from collections.abc import Mapping
from enum import IntEnum

from broker_setup.ledger.events import (
    Act,
    Acted,
    AnyEvent,
    Delivered,
    Discarded,
    Expired,
    Extended,
    Graded,
    Leased,
    Parked,
    Redriven,
    Released,
    Retired,
    Submitted,
    Superseded,
    Undeliverable,
)


class State(IntEnum):
    """How a submission stands, as far as events say: that a lease runs out is a matter of time."""

    UNKNOWN = 0
    WAITING = 1
    LEASED = 2
    GRADED = 3  # its result is on its way to the LMS
    DELIVERED = 4
    SUPERSEDED = 5
    RETIRED = 6
    PARKED = 7
    UNDELIVERED = 8  # its result is parked
    DISCARDED = 9


# What a search may name, and what that finds.
NAMES: Mapping[str, frozenset[State]] = {
    "waiting": frozenset({State.WAITING}),
    "leased": frozenset({State.LEASED}),
    "graded": frozenset({State.GRADED}),
    "delivered": frozenset({State.DELIVERED}),
    "superseded": frozenset({State.SUPERSEDED}),
    "retired": frozenset({State.RETIRED}),
    "parked": frozenset({State.PARKED, State.UNDELIVERED}),
    "discarded": frozenset({State.DISCARDED}),
}
_BECOMES: Mapping[type, State] = {
    Submitted: State.WAITING,
    Released: State.WAITING,
    Expired: State.WAITING,
    Delivered: State.DELIVERED,
    Undeliverable: State.UNDELIVERED,
    Acted: State.GRADED,
    Leased: State.LEASED,
    Extended: State.LEASED,
    Graded: State.GRADED,
    Superseded: State.SUPERSEDED,
    Retired: State.RETIRED,
    Parked: State.PARKED,
    Redriven: State.WAITING,
    Discarded: State.DISCARDED,
}


def after(before: State, event: AnyEvent) -> State:
    """Say how a submission stands after a valid event."""
    match event:
        # A submit can be noted after its first lease; a lease runs out, and what comes of that is late.
        case Submitted() if before:
            becomes = before
        case Released() | Expired() | Extended() if before > State.LEASED:
            becomes = before
        case Undeliverable() if before is State.DELIVERED:  # a copy, or junk that an AMQP grader named after it
            becomes = before
        case Delivered() | Undeliverable() if event.notice:
            becomes = before
        case Acted() if event.act not in {Act.RESULT_REDRIVEN, Act.CALLED_IN}:
            becomes = before
        case _:
            becomes = _BECOMES.get(type(event), before)
    return becomes
