"""That a student was told is a fact of the ledger, which a reader of 0.1.0 passes over."""

import msgspec
import pytest
from msgspec import Struct

from broker_setup.ledger.events import AnyEvent, Delivered, Event, Parked, Undeliverable
from broker_setup.ledger.frames import Frame, decode_frame, encode_frame, new_frame_id
from broker_setup.operator.backlog import Backlog
from broker_setup.operator.prune.plan import PrunePlan
from broker_setup.operator.trace.command import describe
from broker_setup.operator.trace.history import Timeline
from broker_setup.upload_store import file_key
from tests.support.ledger_events import graded, leased, parked, redriven, retired, submitted, uuid_of

TOLD = Delivered(3.0, uuid_of(1), 1, notice=True)
NOT_TOLD = Undeliverable(3.0, uuid_of(1), "the LMS is not there", notice=True)


def timeline(*events: AnyEvent) -> Timeline:
    made = Timeline(uuid_of(1))
    for event in events:
        made.add(event, "writer")
    return made


@pytest.mark.parametrize(
    ("events", "standing"),
    [
        ([submitted(1, 1.0), parked(1, 2.0), TOLD], "parked, student told"),
        ([submitted(1, 1.0), parked(1, 2.0), NOT_TOLD], "parked, student not told"),
        ([submitted(1, 1.0), retired(1, 2.0), TOLD], "retired, student told"),
        (
            [graded(1, 1.0, "k"), Undeliverable(2.0, uuid_of(1), "refused"), TOLD],
            "settled, undeliverable, student told",
        ),
        ([Undeliverable(2.0, uuid_of(1), "refused"), TOLD], "undeliverable, student told"),
        ([submitted(1, 1.0), parked(1, 2.0), TOLD, redriven(1, 4.0)], "waiting, student told"),
        ([submitted(1, 1.0), parked(1, 2.0), TOLD, redriven(1, 4.0), leased(1, 5.0, "k")], "leased, student told"),
    ],
)
def test_a_notice_is_not_the_result_of_what_was_parked(events: list[AnyEvent], standing: str) -> None:
    assert timeline(*events).standing(10.0) == standing


def test_a_lease_that_ran_out_is_seen_also_where_the_student_was_told_before() -> None:
    lived = timeline(submitted(1, 1.0), parked(1, 2.0), TOLD, redriven(1, 4.0), leased(1, 5.0, "k", until=65.0))
    assert lived.standing(100.0) == "waiting, student told"
    assert lived.lease_ended(100.0) == 65.0


def test_trace_says_when_a_student_is_told_and_which_callback_was_the_notice() -> None:
    assert describe(Parked(1.0, uuid_of(1), "q", b"", "failed 3 times", tell_at=3_601.0)) == [
        "failed 3 times",
        "its student is told at 1970-01-01 01:00:01.000Z",
    ]
    assert describe(TOLD) == ["after 1 try", "the student's notice"]
    assert describe(NOT_TOLD) == ["the LMS is not there", "the student's notice"]


def test_a_notice_does_not_end_a_submission_that_was_redriven() -> None:
    backlog = Backlog()
    events: list[AnyEvent] = [submitted(1, 1.0), parked(1, 2.0), redriven(1, 4.0), TOLD]
    backlog.take(Frame(new_frame_id(), "writer", events))
    assert backlog.oldest(1_000.0) == {"openedx": 4.0}


def test_files_are_kept_where_nothing_but_a_notice_was_called_back() -> None:
    plan = PrunePlan(ended_before=1_000.0, link_made_before=0.0, submissions={uuid_of(1)})
    plan.take(Frame(new_frame_id(), "writer", [TOLD, NOT_TOLD]))
    assert not plan.may_go(file_key(uuid_of(1).hex(), 0), stored=500.0)


class OldDelivered(Event, frozen=True, array_like=True, tag=11):
    """As a gateway of 0.1.0 knows it."""

    attempts: int


class OldUndeliverable(Event, frozen=True, array_like=True, tag=12):
    reason: str


class OldParked(Event, frozen=True, array_like=True, tag=10):
    queue: str
    url: bytes
    reason: str
    redriven: int = 0


class OldFrame(Struct, frozen=True, array_like=True):
    id: bytes
    writer: str
    events: list[OldDelivered | OldUndeliverable | OldParked]


def test_a_gateway_of_0_1_0_reads_the_frames_and_passes_over_what_it_does_not_know() -> None:
    later = Parked(1.0, uuid_of(1), "q", b"u", "failed", 2, tell_at=9.0)
    body = encode_frame(Frame(new_frame_id(), "writer", [later, TOLD, NOT_TOLD])).body
    read = msgspec.msgpack.Decoder(OldFrame).decode(body)
    assert read.events == [
        OldParked(1.0, uuid_of(1), "q", b"u", "failed", 2),
        OldDelivered(3.0, uuid_of(1), 1),
        OldUndeliverable(3.0, uuid_of(1), "the LMS is not there"),
    ]


def test_what_0_1_0_wrote_reads_as_before() -> None:
    body = msgspec.msgpack.encode(
        OldFrame(b"id", "writer", [OldDelivered(3.0, uuid_of(1), 2), OldUndeliverable(3.0, uuid_of(1), "refused")])
    )
    assert decode_frame(body).events == [
        Delivered(3.0, uuid_of(1), 2, notice=False),
        Undeliverable(3.0, uuid_of(1), "refused", notice=False, tell_at=0.0),
    ]
