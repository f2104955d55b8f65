"""Whatever a clock says, leases last as long as they should, and what is settled is not forgotten."""

from broker_setup.ledger.answers import Refusal, Standing
from broker_setup.ledger.events import AnyEvent
from broker_setup.ledger.heard import DOUBT_SECONDS, Heard, made_steady
from broker_setup.ledger.state import LedgerState
from broker_setup.ledger.state.closed import CLOSED_SECONDS
from tests.support.ledger_events import extended, facts, graded, id_of, leased, released, retired, uuid_of

NOW = 1_000_000.0


def heard(state: LedgerState, *events: AnyEvent, at: float = NOW) -> None:
    """Let a state hear of events while they are new."""
    for event in events:
        state.apply(event, Heard(at, at))


def standing(state: LedgerState, now: float) -> Standing:
    return state.standing(uuid_of(1), now)


def test_a_steady_clock_goes_on_whatever_is_done_to_the_machines_own() -> None:
    wall, ticks = 500.0, 7.0
    clock = made_steady(lambda: wall, lambda: ticks)
    assert clock() == 500.0
    wall, ticks = 90_000.0, 8.0
    assert clock() == 501.0
    wall, ticks = 3.0, 9.0
    assert clock() == 502.0


def test_a_lease_lasts_as_long_as_it_says_whatever_its_writers_clock_says() -> None:
    for off in (-90.0, 0.0, 90.0, 180.0):
        state = LedgerState()
        heard(state, leased(1, NOW + off, "k", until=NOW + off + 60))
        assert standing(state, NOW + 59.9) is Standing.LEASED
        assert state.run_out(NOW + 59.9) == []
        assert standing(state, NOW + 60) is Standing.FREE
        assert [lease.submission for lease in state.run_out(NOW + 60)] == [uuid_of(1)]


def test_so_do_an_extension_and_the_delay_of_a_release_whoever_wrote_them() -> None:
    state = LedgerState()
    heard(state, leased(1, NOW, "k", until=NOW + 60))
    heard(state, extended(1, NOW + 210, "k", until=NOW + 330), at=NOW + 30)  # 180 s ahead: two minutes from now
    assert standing(state, NOW + 149) is Standing.LEASED
    heard(state, released(1, NOW - 40, "k", available_at=NOW - 30), at=NOW + 50)  # 90 s behind: in ten seconds
    assert standing(state, NOW + 59) is Standing.LEASED
    assert standing(state, NOW + 60) is Standing.FREE


def test_who_starts_takes_the_times_in_the_ledger_and_no_lease_for_longer_than_it_lasts() -> None:
    state = LedgerState()
    state.apply(leased(1, NOW - 50, "k", until=NOW + 10), Heard(NOW))
    assert standing(state, NOW + 10 + DOUBT_SECONDS - 1) is Standing.LEASED, "clocks may differ that much"
    assert standing(state, NOW + 10 + DOUBT_SECONDS) is Standing.FREE
    ahead = LedgerState()
    ahead.apply(leased(1, NOW + 500, "k", until=NOW + 560), Heard(NOW))
    assert standing(ahead, NOW + 60) is Standing.FREE


def test_who_was_cut_off_knows_that_what_it_reads_now_is_no_older_than_that() -> None:
    state = LedgerState()
    state.apply(leased(1, NOW - 500, "k", until=NOW - 440), Heard(NOW, NOW - 10))
    assert standing(state, NOW + 49) is Standing.LEASED
    assert standing(state, NOW + 50) is Standing.FREE


def test_an_event_dated_far_ahead_makes_nobody_forget_what_is_settled() -> None:
    for new in (True, False):
        state = LedgerState()
        heard(state, leased(1, NOW, "k"), graded(1, NOW + 1, "k"))
        bad = retired(2, NOW + 10 * CLOSED_SECONDS)
        state.apply(bad, Heard(NOW + 2, NOW + 2) if new else Heard(NOW + 2))
        assert standing(state, NOW + 3) is Standing.CLOSED
        assert state.may_take(id_of(1), "k", b"d", NOW + 3) is Refusal.REPEAT


def test_an_event_dated_far_ahead_does_not_stop_the_forgetting() -> None:
    state = LedgerState()
    heard(state, retired(2, NOW + 10 * CLOSED_SECONDS))
    for number in range(3, 100):
        at = NOW + number * CLOSED_SECONDS / 10
        heard(state, retired(number, at), at=at)
    assert len(facts(state)["_minutes"]) < 15


def test_an_event_dated_far_behind_is_forgotten_no_sooner_than_others() -> None:
    state = LedgerState()
    heard(state, retired(3, NOW))
    heard(state, graded(1, NOW - 2 * CLOSED_SECONDS, "k"))
    for minute in range(1, 100):
        heard(state, retired(100 + minute, NOW + minute * 60), at=NOW + minute * 60)
    assert standing(state, NOW + 6_000) is Standing.CLOSED


def test_who_has_not_read_of_a_lease_gets_none_beside_it_whatever_his_clock_says() -> None:
    state = LedgerState()
    heard(state, leased(1, NOW - 25, "one", until=NOW + 35, after=""))  # 25 s behind
    late = leased(1, NOW + 40, "two", after="")  # 25 s ahead, and 15 s later: he believed it was free
    assert not state.apply(late, Heard(NOW + 15, NOW + 15)).valid
    seen = leased(1, NOW + 62, "three", after="one")
    assert state.apply(seen, Heard(NOW + 62, NOW + 62)).valid


def test_a_lease_that_ran_out_long_ago_need_not_have_been_seen() -> None:
    state = LedgerState()
    heard(state, leased(1, NOW, "one", after=""))
    assert state.apply(leased(1, NOW + 90_000, "two", after="")).valid
