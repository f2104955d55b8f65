"""The schedules of `make chaos`: where everybody begins, and that what is lost or doubled is always counted."""

from bench.chaos.cluster import NODES
from bench.chaos.journal import EMPTY, REFUSED, TAKEN, Call, Journal
from bench.chaos.schedules import (
    KNOWN_SECONDS,
    NOTHING_LOST,
    A,
    Evidence,
    empty_though_cut_off,
    ready_though_refusing,
)
from bench.chaos.site import PARTS
from bench.chaos.wider_schedules import ALL


def evidence(*calls: Call) -> Evidence:
    return Evidence(Journal(calls=list(calls)), since=0, until=40, ended=60, drained=1, connections={})


def test_everybody_has_a_node_and_every_schedule_a_name_of_its_own() -> None:
    for schedule in ALL:
        assert set(schedule.homes) == set(PARTS)
        assert set(schedule.clocks) <= set(PARTS)
        assert {*schedule.homes.values(), *schedule.leaders.of_queues.values()} <= set(range(NODES))
    assert len({schedule.name for schedule in ALL}) == len(ALL)


def test_losses_and_doubles_are_bound_to_none() -> None:
    bounds = {bound.what: bound.at_most for bound in NOTHING_LOST}
    assert bounds["accepted and lost"] == bounds["doubly leased"] == bounds["results turned down"] == 0


def test_a_gateway_guesses_where_it_says_empty_long_after_it_was_cut_off() -> None:
    known, guessed = Call("poll", A, 1, 2, EMPTY), Call("poll", A, KNOWN_SECONDS + 5, KNOWN_SECONDS + 5.5, EMPTY)
    assert empty_though_cut_off(evidence(known)) == 0
    assert empty_though_cut_off(evidence(known, guessed, Call("poll", A, 45, 46, EMPTY))) == 1
    waited_until_it_was_heard_again = Call("poll", A, 39, 40.5, EMPTY)
    assert empty_though_cut_off(evidence(waited_until_it_was_heard_again)) == 0


def test_readyz_is_untrue_in_seconds_in_which_it_says_ready_and_every_poll_is_refused() -> None:
    ready = [Call("ready", A, second + 0.1, second + 0.2, TAKEN) for second in (1, 2, 3)]
    refused = [Call("poll", A, second + 0.1, second + 0.2, REFUSED) for second in (2, 3, 4)]
    assert ready_though_refusing(evidence(*ready, *refused)) == 2
    assert ready_though_refusing(evidence(*ready, *refused, Call("poll", A, 3.5, 3.6, TAKEN))) == 1
