"""The console's index: finds a submission by what a person has of it, and is bounded by number and age."""

import pytest

from broker_setup.ledger.answers import VALID, VOID, Outcome
from broker_setup.ledger.events import (
    Act,
    Acted,
    AnyEvent,
    Delivered,
    Expired,
    Extended,
    Graded,
    Leased,
    Parked,
    Redriven,
    Released,
    Submitted,
    Undeliverable,
)
from gateway.console.known import index as known_index
from gateway.console.known.block import ROWS
from gateway.console.known.index import SubmissionIndex
from gateway.console.known.standings import NAMES, State
from gateway.console.known.wanted import Wanted
from tests.support.ledger_events import uuid_of

NOW = 1_000_000.0


def url_of(number: int) -> str:
    return f"https://lms.example/courses/course-v1:a+{number % 7}/xqueue/{number}/score_update"


def submitted(number: int, *, at: float = NOW, queue: str = "q") -> Submitted:
    return Submitted(at, uuid_of(number), queue, sealed_url=url_of(number).encode())


def leased(number: int, *, at: float = NOW, grader: str = "ned") -> Leased:
    return Leased(at, uuid_of(number), "q", b"", b"k" * 16, at + 60, "sealed", 1, b"", grader)


def index_of(*events: AnyEvent, most: int = 10**6, seconds: float = 10**5, outcome: Outcome = VALID) -> SubmissionIndex:
    index = SubmissionIndex(
        most=most, seconds=seconds, open_url=lambda sealed, _: sealed.decode(errors="replace"), clock=lambda: NOW
    )
    for event in events:
        index.take(event, outcome, "gateway a")
    return index


def numbers(index: SubmissionIndex, most: int = 100, visible: list[str] | None = None, **wanted: object) -> list[bytes]:
    return [each.uuid for each in index.search(Wanted(**wanted), visible, most)]  # type: ignore[arg-type]


def test_a_submission_is_found_by_its_uuid_its_id_and_parts_of_its_url() -> None:
    index = index_of(*map(submitted, range(20)))
    found = index.find(uuid_of(3))
    assert found is not None
    assert (found.queue, found.state, found.url) == ("q", State.WAITING, url_of(3))
    assert index.find_id(found.submission_id) == found
    assert numbers(index, uuid=uuid_of(3)) == numbers(index, submission_id=found.submission_id) == [uuid_of(3)]
    assert numbers(index, url_parts=("xqueue/3/",)) == [uuid_of(3)]
    assert numbers(index, url_parts=("a+3/", "/10/")) == [uuid_of(10)]
    assert numbers(index, url_parts=("score_update",), most=2) == [uuid_of(19), uuid_of(18)]
    assert numbers(index, url_parts=("nowhere",)) == numbers(index, uuid=uuid_of(99)) == []
    assert index.find_id(-1) is index.find_id(2**60) is None


def test_a_submit_that_is_noted_after_its_lease_is_found_by_its_url_and_has_its_time() -> None:
    index = index_of(
        submitted(1), leased(2, at=NOW + 9), submitted(3), leased(4), submitted(2, at=NOW + 5), submitted(4)
    )
    assert numbers(index, url_parts=("xqueue/2/",)) == [uuid_of(2)]
    assert {*numbers(index, url_parts=("xqueue/",))} == {uuid_of(number) for number in (1, 2, 3, 4)}
    found = index.find(uuid_of(2))
    assert found is not None
    assert (found.submitted_at, found.state, found.url) == (NOW + 5, State.LEASED, url_of(2))
    index.take(submitted(2, at=NOW + 5), VALID, "gateway a")  # twice, without a confirm
    assert numbers(index, url_parts=("xqueue/2/",)) == [uuid_of(2)]


def test_queue_state_time_and_what_may_be_seen_narrow_a_search() -> None:
    index = index_of(
        submitted(1),
        submitted(2, queue="other"),
        submitted(3, at=NOW + 50),
        leased(1),
        Parked(NOW, uuid_of(3), "q", b"", "x"),
    )
    assert numbers(index, queue="q") == [uuid_of(3), uuid_of(1)]
    assert numbers(index, states=NAMES["parked"]) == [uuid_of(3)]
    assert numbers(index, states=NAMES["leased"]) == [uuid_of(1)]
    assert numbers(index, since=NOW + 10) == [uuid_of(3)]
    assert numbers(index, until=NOW + 10, visible=["other"]) == [uuid_of(2)]
    assert numbers(index, visible=[]) == numbers(index, queue="nobody's") == []
    assert (index.count("q", State.PARKED), index.count("q", State.LEASED), index.count("q", State.WAITING)) == (
        1,
        1,
        0,
    )


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([submitted(1), leased(1), Released(NOW, uuid_of(1), b"k", NOW, failed=True)], State.WAITING),
        ([leased(1), submitted(1)], State.LEASED),
        (
            [submitted(1), leased(1), Graded(NOW, uuid_of(1), "q", b"", b"k", b"d"), Expired(NOW, uuid_of(1), b"k")],
            State.GRADED,
        ),
        (
            [submitted(1), Parked(NOW, uuid_of(1), "q", b"", "why"), Delivered(NOW, uuid_of(1), 1, notice=True)],
            State.PARKED,
        ),
        (
            [submitted(1), Parked(NOW, uuid_of(1), "q", b"", "why"), Redriven(NOW, uuid_of(1), "q", b"", 1, "ada")],
            State.WAITING,
        ),
        ([Undeliverable(NOW, uuid_of(1), "404")], State.UNDELIVERED),
        ([Undeliverable(NOW, uuid_of(1), "404"), Acted(NOW, uuid_of(1), Act.RESULT_REDRIVEN, "ada")], State.GRADED),
        (
            [submitted(1), leased(1), Delivered(NOW, uuid_of(1), 1), Extended(NOW, uuid_of(1), b"k", NOW)],
            State.DELIVERED,
        ),
    ],
)
def test_how_a_submission_stands_follows_from_its_events(events: list[AnyEvent], state: State) -> None:
    found = index_of(*events).find(uuid_of(1))
    assert found is not None
    assert found.state is state


def test_the_timeline_has_every_event_with_its_writer_and_void_ones_marked() -> None:
    index = index_of(submitted(1), submitted(2), leased(1))
    index.take(leased(1, grader="other"), VOID, "gateway b")
    index.take(Parked(NOW, uuid_of(1), "q", b"u", "y" * 10_000, 0, 5.0), VALID, "gateway b")
    timeline = index.timeline(uuid_of(1))
    assert timeline is not None
    assert [(step.name, step.writer[-1], step.void) for step in timeline.steps] == [
        ("submitted", "a", False),
        ("leased", "a", False),
        ("leased", "b", True),
        ("parked", "b", False),
    ]
    parked = timeline.steps[-1].event
    assert isinstance(parked, Parked)
    assert (len(parked.reason), parked.tell_at) == (400, 5.0)
    assert index.timeline(uuid_of(9)) is None


def test_what_is_old_or_too_much_goes_a_block_at_a_time_the_oldest_first() -> None:
    events = [submitted(number) for number in range(2 * ROWS + 1)]
    index = index_of(*events, most=2 * ROWS)
    assert index.size == ROWS + 1
    assert index.find(uuid_of(ROWS - 1)) is index.find_id(ROWS - 1) is None
    assert index.find(uuid_of(ROWS)) is not None
    assert index.count("q", State.WAITING) == len(numbers(index, 10**6, states=NAMES["waiting"])) == ROWS + 1
    old = index_of(*(submitted(number, at=NOW - 10**6) for number in range(ROWS)), submitted(ROWS))
    assert (old.size, len(numbers(old))) == (1, 1)
    # An event of what went is taken for a submission that came then.
    index.take(Delivered(NOW, uuid_of(0), 1), VALID, "relay")
    assert index.find(uuid_of(0)) is not None


def test_the_oldest_that_waits_and_how_many_are_before_one_are_counted() -> None:
    index = index_of(*(submitted(number, at=NOW + number) for number in range(5)), leased(0))
    assert index.oldest_waiting("q") == NOW + 1
    found = index.find(uuid_of(4))
    assert found is not None
    assert index.waiting_before(found) == 3
    assert index.oldest_waiting("nobody's") is None


def test_a_submission_takes_some_400_bytes() -> None:
    index = index_of()
    for number in range(ROWS):
        for event in (submitted(number), leased(number), Graded(NOW, uuid_of(number), "q", b"", b"k" * 16, b"d" * 16)):
            index.take(event, VALID, "gateway")
    assert index.memory / ROWS < 400


def test_the_oldest_that_waits_is_not_looked_for_where_none_of_its_queue_waits() -> None:
    index = index_of(*(submitted(number, queue="crowd") for number in range(2 * ROWS)), submitted(9_999_999, queue="q"))
    assert [block.waiting(index._queues["q"]) for block in index._blocks] == [0, 0, 1]
    assert index.oldest_waiting("q") == index.oldest_waiting("crowd") == NOW
    assert index.oldest_waiting("nobody's") is None


def test_what_waits_is_counted_by_queue_as_it_comes_and_goes() -> None:
    index = index_of(submitted(1), submitted(2, queue="crowd"), submitted(3), leased(1))
    found = index.find(uuid_of(3))
    assert found is not None
    assert index.oldest_waiting("q") == NOW
    index.take(leased(3), VALID, "gateway a")
    assert index.oldest_waiting("q") is None
    index.take(Expired(NOW + 60, uuid_of(3), b"k" * 16), VALID, "gateway a")
    assert index.oldest_waiting("q") == NOW


def test_of_a_leases_extensions_the_newest_is_kept_and_takes_no_more_room() -> None:
    index = index_of(submitted(1), leased(1))
    index.take(Extended(NOW + 1, uuid_of(1), b"k" * 16, NOW + 100), VALID, "gateway a")
    memory = index.memory
    for second in range(2, 1000):
        index.take(Extended(NOW + second, uuid_of(1), b"k" * 16, NOW + 100 + second), VALID, "gateway a")
    assert index.memory == memory
    timeline = index.timeline(uuid_of(1))
    assert timeline is not None
    assert [step.event.at for step in timeline.steps] == [NOW, NOW, NOW + 999]
    assert timeline.lease_ended(NOW + 1000) is None
    # A reply that was refused is a line of its own, and so is what comes after it.
    index.take(Extended(NOW + 1000, uuid_of(1), b"k" * 16, NOW + 1100, refused="no score"), VALID, "gateway a")
    index.take(Extended(NOW + 1001, uuid_of(1), b"k" * 16, NOW + 1101), VALID, "gateway a")
    timeline = index.timeline(uuid_of(1))
    assert timeline is not None
    assert len(timeline.steps) == 5


def test_the_oldest_go_where_events_take_too_much_also_while_no_submission_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(known_index, "BYTES_EACH", 150)
    index = index_of(*map(submitted, range(ROWS + 100)), most=3 * ROWS)
    assert index.size == ROWS + 100
    for _ in range(200):
        for number in range(ROWS, ROWS + 100):
            index.take(leased(number), VALID, "gateway a")
            index.take(Released(NOW, uuid_of(number), b"k" * 16, NOW, failed=True), VALID, "gateway a")
    assert index.size == 100
    assert index.find(uuid_of(1)) is None
    assert index.find(uuid_of(ROWS)) is not None


def test_results_that_end_without_ever_having_begun_fill_a_small_part_of_it_alone() -> None:
    index = index_of(*map(submitted, range(10)))
    for number in range(100, 100 + 2 * ROWS):
        index.take(Undeliverable(NOW, uuid_of(number), "junk"), VALID, "relay a")
    assert index.size == 10 + ROWS
    assert index.find(uuid_of(3)) is not None


def test_junk_about_a_delivered_result_leaves_it_delivered() -> None:
    index = index_of(submitted(1), Graded(NOW, uuid_of(1), "q", b"", b"", b""), Delivered(NOW, uuid_of(1), 1))
    index.take(Undeliverable(NOW, uuid_of(1), "junk"), VALID, "relay a")
    found = index.find(uuid_of(1))
    assert found is not None
    assert found.state is State.DELIVERED
