"""Replies that were refused, in the ledger: the lease goes on, and what is refused again counts for more."""

from msgspec import msgpack

from broker_setup.ledger.events import Extended, Graded, hash_key
from broker_setup.ledger.frames import Frame, encode_frame
from broker_setup.operator.trace.command import describe
from broker_setup.operator.trace.history import Timeline
from tests.support.ledger_events import expired, graded, leased, released, state_after, submitted, uuid_of

WHY = "its score is not a number"


def refused(number: int, at: float, key: str, digest: bytes = b"bad", again: int = 5) -> Extended:
    return Extended(at, uuid_of(number), hash_key(key), 60.0, WHY, digest, again)


def test_a_lease_goes_on_after_a_refusal_as_it_was() -> None:
    state = state_after(leased(1, 0, "k", until=90), refused(1, 5, "k"))
    lease = state.lease_of(uuid_of(1))
    assert lease
    assert (lease.expires_at, lease.key, lease.attempt) == (90, hash_key("k"), 1)
    assert [lease.submission for lease in state.run_out(100)] == [uuid_of(1)]


def test_the_same_refusal_in_the_next_lease_counts_as_it_says() -> None:
    state = state_after(
        leased(1, 0, "k", until=60),
        refused(1, 5, "k"),
        expired(1, 60, "k"),
        leased(1, 61, "l", until=121, attempt=2),
        refused(1, 65, "l"),
    )
    lease = state.lease_of(uuid_of(1))
    assert lease
    assert lease.refused
    assert (lease.attempt, lease.refused.leases, lease.refused.why) == (6, 2, WHY)


def test_what_is_written_twice_changes_nothing() -> None:
    events = (leased(1, 0, "k", until=60), refused(1, 5, "k"), leased(1, 61, "l", attempt=2), refused(1, 65, "l"))
    once, twice = state_after(*events), state_after(*events, refused(1, 5, "k"), refused(1, 65, "l"))
    assert once.lease_of(uuid_of(1)) == twice.lease_of(uuid_of(1))


def test_a_refusal_outlives_a_release_and_not_a_result() -> None:
    state = state_after(leased(1, 0, "k"), refused(1, 5, "k"), released(1, 6, "k", failed=True))
    lease = state.lease_of(uuid_of(1))
    assert lease
    assert lease.refused
    state = state_after(leased(1, 0, "k"), graded(1, 1, "k"))
    assert not state.apply(refused(1, 5, "k")).valid


def test_of_a_lease_that_is_no_more_a_refusal_is_void() -> None:
    state = state_after(leased(1, 0, "k", until=60), leased(1, 61, "l", attempt=2))
    assert not state.apply(refused(1, 62, "k")).valid
    assert not state.apply(refused(2, 62, "k")).valid


def test_a_gateway_of_the_version_before_reads_a_refusal_as_an_extension_that_extends_nothing() -> None:
    # What 0.1.0 knows of it: the first four fields, as it passes over what comes behind them.
    body = encode_frame(Frame(b"id", "gateway", [refused(1, 5, "k")])).body
    _, _, [[tag, at, submission, key, expires_at, *_]], *_ = msgpack.decode(body)
    assert (tag, at, submission, key, expires_at) == (3, 5, uuid_of(1), hash_key("k"), 60.0)


def test_trace_says_refused_and_why_and_warns_of_what_is_odd() -> None:
    timeline = Timeline(uuid_of(1))
    for event in (submitted(1, 0), leased(1, 1, "k"), refused(1, 5, "k")):
        timeline.add(event, "gateway")
    assert [step.name for step in timeline.steps] == ["submitted", "leased", "refused"]
    assert describe(timeline.steps[-1].event) == [WHY, f"lease {hash_key('k').hex()[:8]}"]
    assert timeline.standing(30) == "leased"
    odd = Graded(9, uuid_of(1), "openedx", b"", b"", b"d", "its correct is text")
    assert describe(odd) == ["its author is warned: its correct is text"]
