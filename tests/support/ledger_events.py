"""Events of the ledger for tests: short to write, with the fields that a test is not about filled in."""

from collections.abc import Iterator, Sequence
from typing import Any

from broker_setup.ledger.events import (
    Amended,
    AnyEvent,
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
    hash_key,
    hash_sender,
    hash_url,
)
from broker_setup.ledger.state import LedgerState
from broker_setup.ledger.state.closed import Closed
from broker_setup.ledger.state.facts import Facts
from broker_setup.ledger.state.lease_keys import LeaseKeys
from broker_setup.ledger.state.leases import Leases
from broker_setup.ledger.state.settled import SettledLeases
from broker_setup.ledger.state.superseded import SupersededSubmissions
from broker_setup.ledger.state.waiting import Waiting
from broker_setup.wire.properties import submission_id_of

MIN_AGE = 2.0
URL = "https://lms.example/courses/c/xqueue/7/problem/score_update"


def uuid_of(number: int) -> bytes:
    """The uuid of the submission that a test calls `number`; its id on the wire is that number."""
    return number.to_bytes(16)


def id_of(number: int) -> int:
    return submission_id_of(uuid_of(number))


def submitted(
    number: int,
    at: float,
    *,
    url: str = URL,
    queue: str = "openedx",
    min_age: float | None = MIN_AGE,
    account: str = "lms",
    listed: bool = False,
) -> Submitted:
    """The queue `never` does not supersede; an account is `listed` where the queue's list of producers has its name."""
    return Submitted(
        at,
        uuid_of(number),
        queue,
        supersede_after=None if queue == "never" else min_age,
        url=hash_url(url),
        sender=hash_sender(account, hash_url(url)),
        anybodys=listed,
    )


def leased(
    number: int,
    at: float,
    key: str,
    *,
    until: float | None = None,
    url: str = URL,
    queue: str = "openedx",
    attempt: int = 1,
    after: str | None = None,
) -> Leased:
    expires_at = at + 60 if until is None else until
    seen = None if after is None else hash_key(after) if after else b""
    return Leased(
        at, uuid_of(number), queue, hash_url(url), hash_key(key), expires_at, f"sealed {number}", attempt, seen
    )


def extended(number: int, at: float, key: str, until: float) -> Extended:
    return Extended(at, uuid_of(number), hash_key(key), until)


def released(number: int, at: float, key: str, *, available_at: float | None = None, failed: bool = False) -> Released:
    return Released(at, uuid_of(number), hash_key(key), at if available_at is None else available_at, failed=failed)


def expired(number: int, at: float, key: str) -> Expired:
    return Expired(at, uuid_of(number), hash_key(key))


def graded(number: int, at: float, key: str, digest: bytes = b"d", *, url: str = URL, queue: str = "openedx") -> Graded:
    return Graded(at, uuid_of(number), queue, hash_url(url), hash_key(key), digest)


def amended(number: int, at: float, key: str, digest: bytes, amendment: int) -> Amended:
    return Amended(at, uuid_of(number), hash_key(key), digest, amendment)


def superseded(number: int, at: float, by: int, *, queue: str = "openedx") -> Superseded:
    return Superseded(at, uuid_of(number), queue, uuid_of(by))


def retired(number: int, at: float, *, url: str = URL, queue: str = "openedx", reason: str = "") -> Retired:
    return Retired(at, uuid_of(number), queue, hash_url(url), reason)


def parked(number: int, at: float, *, url: str = URL, queue: str = "openedx", redriven: int = 0) -> Parked:
    return Parked(at, uuid_of(number), queue, hash_url(url), "too many failures", redriven)


def redriven(number: int, at: float, times: int = 1, *, url: str = URL, queue: str = "openedx") -> Redriven:
    return Redriven(at, uuid_of(number), queue, hash_url(url), times)


# What a state is made of.
PARTS = Facts | LeaseKeys | Leases | SettledLeases | Closed | Waiting | SupersededSubmissions

# What a state only works with: settled in its own time, whatever was read. All else comes of the events.
WORKINGS = {"_looked_at", "_expiries", "_due", "_held", "_held_in", "_sealed_in"}


def parts_of(whole: object) -> Iterator[object]:
    yield whole
    for part in vars(whole).values():
        if isinstance(part, PARTS):
            yield from parts_of(part)


def facts(state: LedgerState) -> dict[str, Any]:
    """All that a state holds, and its parts, by the name that it has inside."""
    parts = {id(part): part for part in parts_of(state)}.values()
    held = [pair for part in parts for pair in vars(part).items() if not isinstance(pair[1], PARTS)]
    assert len(dict(held)) == len(held)  # none hides another
    return dict(held)


def snapshot(state: LedgerState) -> dict[str, Any]:
    """All that a state knows."""
    return {name: value for name, value in facts(state).items() if name not in WORKINGS}


def state_after(*events: AnyEvent) -> LedgerState:
    """The state that these events add up to."""
    state = LedgerState()
    for event in events:
        state.apply(event)
    return state


def expirations(first: int, number: int) -> Sequence[AnyEvent]:
    """Make so many events, each of a submission of its own from number `first` on."""
    return [expired(each, 0, "k") for each in range(first, first + number)]
