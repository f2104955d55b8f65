"""What an upstream hands out again is known, in this process and in the next one."""

from broker_setup.ledger.events import Delivered, Graded, Parked, Submitted, hash_url
from broker_setup.upstream.dialect import Taken
from gateway.upstream.room import has_room
from gateway.upstream.taken_before import MOST_ROUNDS, TakenBefore, sender_of, uuid_of

TAKEN = Taken(7, "a key", "{}", "work", {})
UUID = uuid_of("lms", TAKEN)
URL = hash_url("https://lms.example/xqueue/put_result/#7")


def submitted(uuid: bytes = UUID, queue: str = "openedx", upstream: str = "lms") -> Submitted:
    return Submitted(1.0, uuid, queue, url=URL, sender=sender_of(upstream, URL))


def taken_before() -> TakenBefore:
    return TakenBefore(["lms", "other"], ["openedx"])


def test_a_submission_has_one_name_however_often_it_is_handed_out_and_no_other_has_it() -> None:
    others = [Taken(8, "a key", "{}", "work", {}), Taken(7, "another", "{}", "work", {})]
    assert uuid_of("lms", Taken(7, "a key", "x", "y", {"z": "z"})) == UUID
    assert (
        len({UUID, uuid_of("other", TAKEN), uuid_of("lms", TAKEN, 1), *(uuid_of("lms", each) for each in others)}) == 5
    )


def test_what_was_taken_is_a_repeat_as_long_as_it_has_no_result_there() -> None:
    before = taken_before()
    assert before.new_uuid("lms", TAKEN, 1.0) == UUID
    before.note(UUID)
    assert before.new_uuid("lms", TAKEN, 2.0) is None
    for event in (Graded(1.0, UUID, "openedx", URL, b"", b""), Parked(1.0, UUID, "openedx", URL, "why", 0)):
        before.take_in(event, 3.0)
    assert before.new_uuid("lms", TAKEN, 4.0) is None


def test_what_another_process_took_is_known_from_the_ledger() -> None:
    before = taken_before()
    before.take_in(submitted(), 1.0)
    assert before.new_uuid("lms", TAKEN, 2.0) is None


def test_what_others_submit_is_not_kept() -> None:
    before = taken_before()
    before.take_in(submitted(queue="another"), 1.0)
    before.take_in(submitted(upstream="an account"), 1.0)
    before.take_in(Delivered(1.0, UUID, 1), 1.0)
    assert len(before) == 0


def test_what_is_handed_out_after_its_result_was_taken_is_new_and_so_each_time_up_to_a_bound() -> None:
    before, now = taken_before(), 0.0
    names = []
    for _ in range(MOST_ROUNDS):
        uuid = before.new_uuid("lms", TAKEN, now)
        assert uuid
        names.append(uuid)
        before.note(uuid)
        before.take_in(Delivered(1.0, uuid, 1), now + 1)
        # Asked for before its result was there, and answered late.
        assert before.new_uuid("lms", TAKEN, now + 1) is None
        now += 2
    assert len(set(names)) == MOST_ROUNDS
    assert before.new_uuid("lms", TAKEN, now) is None


def test_there_is_room_while_somebody_consumes_and_little_waits() -> None:
    assert has_room(0, 1, 1)
    assert not has_room(0, 0, 1)
    assert not has_room(1, 5, 1)
    assert has_room(1, 5, 2)
