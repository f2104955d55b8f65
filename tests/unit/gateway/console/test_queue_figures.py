"""The site's figures: events of the ledger in, numbers by queue out."""

import random
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from broker_setup.ledger.events import AnyEvent, Delivered
from broker_setup.ledger.frames import Frame
from broker_setup.ledger.state import LedgerState
from broker_setup.operator.backlog import Backlog
from gateway.console.figures.figures import OTHER, Figures
from gateway.console.figures.queue_figures import MAX_GRADERS, SEEN_SECONDS, QueueFigures, Times
from tests.support.examples import examples
from tests.support.ledger_events import (
    expired,
    graded,
    leased,
    parked,
    redriven,
    released,
    retired,
    submitted,
    superseded,
    uuid_of,
)

QUEUES = ("openedx", "never")


def after(events: Sequence[AnyEvent], *, replayed: int = 0, state: LedgerState | None = None) -> Figures:
    """The figures after these events, of which the first were read in a replay."""
    state = state or LedgerState()
    figures = Figures(QUEUES, state)
    for number, event in enumerate(events):
        figures.take(event, state.apply(event), is_new=number >= replayed)
    return figures


def counts(figures: Figures, queue: str = "openedx") -> dict[str, int]:
    return {what: number for what, number in figures.queues[queue].counts.items() if number}


def test_a_submission_is_counted_on_its_way_from_submit_to_grade() -> None:
    figures = after([submitted(1, 100), leased(1, 103, "k"), graded(1, 110, "k")])
    queue = figures.queues["openedx"]
    assert counts(figures) == {"submitted": 1, "graded": 1}
    assert (queue.waited.seconds, sum(queue.waited.buckets)) == (3, 1)
    assert (queue.graded.seconds, sum(queue.graded.buckets)) == (7, 1)
    assert not queue.waiting


def test_what_is_written_twice_is_counted_once() -> None:
    way: list[AnyEvent] = [
        submitted(1, 100),
        leased(1, 101, "k"),
        expired(1, 161, "k"),
        leased(1, 170, "l"),
        graded(1, 171, "l"),
    ]
    twice = after([event for event in way for _ in range(2)])
    assert counts(twice) == {"submitted": 1, "graded": 1, "leases_expired": 1, "failed_attempts": 1}
    gone: list[AnyEvent] = [
        submitted(2, 0),
        submitted(3, 5),
        superseded(2, 6, 3),
        superseded(2, 6.1, 3),
        parked(3, 7),
        parked(3, 7.1),
    ]
    assert counts(after(gone)) == {"submitted": 2, "superseded": 1, "parked": 1}


def test_a_lease_whose_end_nobody_wrote_down_has_run_out_when_the_next_begins_or_it_is_parked() -> None:
    ended = {"submitted": 1, "leases_expired": 1, "failed_attempts": 1}
    assert counts(after([submitted(1, 0), leased(1, 1, "k"), leased(1, 70, "l", attempt=2)])) == ended
    assert counts(after([submitted(1, 0), leased(1, 1, "k"), parked(1, 70)])) == ended | {"parked": 1}


def test_a_release_is_a_failed_attempt_only_if_it_says_so_and_no_lease_that_ran_out() -> None:
    way: list[AnyEvent] = [
        submitted(1, 0),
        leased(1, 1, "k"),
        released(1, 2, "k"),
        leased(1, 3, "l"),
        released(1, 4, "l", failed=True),
    ]
    figures = after([*way, leased(1, 5, "m")])
    assert counts(figures) == {"submitted": 1, "failed_attempts": 1}
    # It waited until it was first leased.
    assert (figures.queues["openedx"].waited.seconds, sum(figures.queues["openedx"].waited.buckets)) == (1, 1)


def test_of_a_replay_nothing_is_counted_and_all_is_known() -> None:
    way: list[AnyEvent] = [
        submitted(1, 0),
        submitted(2, 1, url="2"),
        leased(1, 2, "k"),
        submitted(3, 3, url="3"),
        parked(3, 4),
    ]
    figures = after([*way, graded(1, 10, "k"), leased(2, 11, "l")], replayed=len(way))
    queue = figures.queues["openedx"]
    assert counts(figures) == {"graded": 1}
    assert (queue.graded.seconds, queue.waited.seconds) == (8, 10)
    assert list(queue.waiting) == [uuid_of(2)]
    assert queue.parked == {uuid_of(3)}


def test_a_lease_that_the_ledger_has_before_its_submit_waited_no_time() -> None:
    figures = after([leased(1, 99.9, "k"), submitted(1, 100.0), graded(1, 101, "k")])
    assert counts(figures) == {"submitted": 1, "graded": 1}
    assert (figures.queues["openedx"].waited.seconds, sum(figures.queues["openedx"].waited.buckets)) == (0, 1)


def test_the_oldest_is_the_one_that_has_waited_longest_and_nobody_grades() -> None:
    state = LedgerState()
    way: list[AnyEvent] = [
        submitted(1, 10, url="1"),
        submitted(2, 11, url="2"),
        submitted(3, 12, url="3"),
        leased(1, 20, "k"),
    ]
    figures = after(way, state=state)
    assert figures.oldest("openedx", 30) == 11
    assert figures.oldest("openedx", 100) == 10  # its lease has run out
    assert figures.oldest("never", 30) is None


def test_what_is_redriven_waits_from_then_on_and_is_parked_no_more() -> None:
    figures = after([submitted(1, 0), parked(1, 50), redriven(1, 400), leased(1, 410, "k")])
    assert figures.queues["openedx"].parked == set()
    assert figures.queues["openedx"].waited.seconds == 10


def test_a_result_that_only_its_relay_tells_of_is_a_graded_submission() -> None:
    figures = after([submitted(1, 0), Delivered(9, uuid_of(1), 1), Delivered(10, uuid_of(1), 1)])
    assert counts(figures) == {"submitted": 1, "graded": 1}
    told = after([submitted(1, 0), parked(1, 5), Delivered(9, uuid_of(1), 1, notice=True)])
    assert counts(told) == {"submitted": 1, "parked": 1}


def test_graders_are_seen_for_some_minutes_and_those_without_a_name_are_one() -> None:
    taken = [replace(leased(n, n + 1, str(n), url=str(n)), grader=name) for n, name in ((1, "ada"), (2, "ben"))]
    over_amqp = [graded(3, 50, "", url="3"), graded(4, 60, "", url="4")]
    events: list[AnyEvent] = [*(submitted(n, n, url=str(n)) for n in range(1, 5)), *taken, *over_amqp]
    figures = after(events)
    queue = figures.queues["openedx"]
    assert queue.graders(70) == 3
    assert queue.graders(30 + SEEN_SECONDS) == 1
    assert queue.graders(60 + SEEN_SECONDS) == 0


def test_names_that_tokens_make_up_take_no_more_than_their_room() -> None:
    queue = QueueFigures()
    for number in range(MAX_GRADERS + 10):
        queue.saw(f"grader {number}", float(number + 1))
    assert queue.graders(1.0) == MAX_GRADERS


def test_queues_that_the_settings_do_not_have_are_one() -> None:
    figures = after([submitted(n, 0, url=str(n), queue=f"gone {n}") for n in range(3)])
    assert counts(figures, OTHER) == {"submitted": 3}
    assert set(figures.queues) == {*QUEUES, OTHER}


def test_times_stand_in_the_first_bucket_that_holds_them() -> None:
    times = Times((1, 10))
    for seconds in (-5, 1, 1.5, 11):
        times.took(seconds)
    assert (times.buckets, times.seconds) == ([2, 1, 1], 13.5)


def test_whatever_happens_they_say_what_count_says() -> None:
    for seed in range(examples(80, 5_000)):
        _agree(seed)


def _agree(seed: int) -> None:
    chance = random.Random(seed)
    backlog, state = Backlog(), LedgerState()
    figures = Figures(QUEUES, state)
    now = 1_000_000.0
    for step in range(60):
        now += chance.choice((0.5, 3, 40))
        number = chance.randrange(6)
        queue = QUEUES[number % 2]
        where: dict[str, Any] = {"url": str(number % 4), "queue": queue}
        event = chance.choice(
            (
                submitted(number, now, **where),
                submitted(number, now, **where),
                leased(number, now, chance.choice("kl"), **where),
                released(number, now, chance.choice("kl")),
                expired(number, now, chance.choice("kl")),
                graded(number, now, chance.choice("kl"), **where),
                parked(number, now, **where),
                redriven(number, now, chance.randrange(1, 3), **where),
                superseded(number, now, 7, queue=queue),
                retired(number, now, **where),
                Delivered(now, uuid_of(number), 1, chance.choice((True, False))),
            )
        )
        backlog.take(Frame(b"", "", [event]))
        figures.take(event, state.apply(event), is_new=True)
        soon = now + 0.1
        oldest = backlog.oldest(soon)
        for name in QUEUES:
            assert len(figures.queues[name].parked) == backlog.parked().get(name, 0), (seed, step, event)
            assert figures.oldest(name, soon) == oldest.get(name), (seed, step, event)
