"""What becomes of a row of the original's table."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from broker_setup.operator.import_legacy.fates import Fate, decide, names_in, uuid_of
from broker_setup.operator.import_legacy.row import Row
from broker_setup.wire.properties import is_uuid, submission_id_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DELAY = 60.0
HEADER = json.dumps({"lms_callback_url": "http://lms/1", "lms_key": "k", "queue_name": "math"})
WAITING = Row(
    id=7,
    queue="math",
    header=HEADER,
    body="work",
    file_keys="",
    file_urls="",
    arrived_at=NOW - timedelta(hours=1),
    pulled_at=None,
    returned_at=None,
    pull_key="",
    reply="",
    is_acknowledged=False,
    is_retired=False,
)
PULLED = replace(WAITING, pull_key="key", pulled_at=NOW - timedelta(seconds=59))


def fate(row: Row) -> Fate:
    return decide(row, NOW, {"math"}, lambda _: DELAY).fate


def test_what_nobody_has_waits_and_what_a_grader_has_is_leased_until_its_time_is_over() -> None:
    assert fate(WAITING) is Fate.WAITS
    leased = decide(PULLED, NOW, {"math"}, lambda _: DELAY)
    assert (leased.fate, leased.until) == (Fate.LEASED, NOW + timedelta(seconds=1))
    # Free, and its grader's result is welcome all the same.
    late = decide(replace(PULLED, pulled_at=NOW - timedelta(seconds=60)), NOW, {"math"}, lambda _: DELAY)
    assert (late.fate, late.until) == (Fate.WAITS, NOW)
    assert fate(replace(PULLED, pull_key="")) is Fate.WAITS


def test_a_reply_that_the_lms_has_not_taken_goes_to_it_and_one_that_it_has_taken_has_ended() -> None:
    assert fate(replace(PULLED, reply="{}")) is Fate.REPLIED
    assert fate(replace(PULLED, reply="{}", is_acknowledged=True)) is Fate.ENDED
    assert fate(replace(WAITING, is_retired=True)) is Fate.ENDED


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"queue": "physics"}, "queue 'physics' is not one of XQUEUES"),
        ({"header": HEADER[:30]}, "its xqueue_header has no lms_callback_url, or was cut off"),
        ({"header": '{"lms_callback_url": 1}'}, "its xqueue_header has no lms_callback_url"),
        ({"header": "[" * 100_000}, "its xqueue_header has no lms_callback_url"),
        ({"id": 2**53}, "its id is none that a grader could name"),
        ({"id": 0}, "its id is none that a grader could name"),
    ],
)
def test_what_can_not_be_used_is_refused_with_the_reason(change: dict[str, object], why: str) -> None:
    decided = decide(replace(WAITING, **change), NOW, {"math"}, lambda _: DELAY)
    assert decided.fate is Fate.REFUSED
    assert decided.why.startswith(why)


def test_a_row_has_the_same_uuid_at_each_import_its_old_id_on_the_wire_and_that_of_no_other_server() -> None:
    uuid = uuid_of(WAITING)
    assert is_uuid(uuid)
    assert submission_id_of(bytes.fromhex(uuid)) == 7
    # What changes in its life changes nothing.
    assert uuid_of(replace(PULLED, reply="{}", is_retired=True, arrived_at=NOW)) == uuid
    others = [replace(WAITING, id=8), replace(WAITING, queue="physics"), replace(WAITING, header="{}")]
    assert len({uuid, *map(uuid_of, others)}) == 4
    # A callback URL is sealed under its first 96 bits: two rows must not share them.
    assert len({each[:24] for each in (uuid, *map(uuid_of, others))}) == 4


def test_lists_of_files_are_read_and_one_that_was_cut_off_is_none() -> None:
    assert names_in('{"a.py": "key/1"}') == {"a.py": "key/1"}
    assert names_in("") == names_in("{}") == {}
    assert names_in('{"cut": "o') is names_in("[1]") is names_in('{"a": 5}') is None
