"""Where what is archived lies: a name for each part, read again, and no two queues in one folder."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis.strategies import text

from broker_setup.archive.places import REGRADES, Part, between, folder_of, over, place_of, read_place

UUID = "0123456789abcdef0123456789abcdef"
NOON = datetime(2026, 11, 29, 12, tzinfo=UTC).timestamp()


def test_a_place_has_queue_day_and_uuid_in_its_name() -> None:
    place = place_of("openedx", NOON, UUID, Part.RESULT, 2)
    assert str(place) == f"openedx/2026-11-29/{UUID}.result-2"
    assert str(place_of("a.b/c", NOON, UUID, Part.NOTICE)) == f"a_2Eb_2Fc/2026-11-29/{UUID}.notice"


@given(text(min_size=1, max_size=200), text(min_size=1, max_size=200))
def test_queues_of_whatever_names_have_folders_of_their_own_that_are_no_paths(one: str, other: str) -> None:
    try:
        folders = [folder_of(one), folder_of(other)]
    except UnicodeEncodeError:  # half a character: no setting has one
        return
    assert (folders[0] == folders[1]) == (one == other)
    assert REGRADES not in folders
    for folder in folders:
        assert "/" not in folder
        assert "." not in folder
        assert len(folder) < 200


@pytest.mark.parametrize("part", list(Part))
def test_a_name_is_read_again(part: Part) -> None:
    place = place_of("q_.", NOON, UUID, part, 7 if part is Part.RESULT else 0)
    assert read_place(str(place)) == place


@pytest.mark.parametrize(
    "key",
    [f"openedx/2026-13-29/{UUID}.notice", f"openedx/2026-11-29/{UUID}.other", "readme.txt", f"{REGRADES}/run/{UUID}"],
)
def test_what_is_none_of_the_archives_has_no_place(key: str) -> None:
    assert read_place(key) is None


def test_days_that_are_over_are_those_of_which_all_is_too_old() -> None:
    days = ["q/2026-11-27/", "q/2026-11-28", "q/2026-11-29", "q/notes"]
    assert over(days, NOON) == ["q/2026-11-27/", "q/2026-11-28"]
    assert between(days, NOON - 24 * 3600, None) == ["q/2026-11-28", "q/2026-11-29"]
    assert between(days, None, NOON - 24 * 3600) == ["q/2026-11-27/", "q/2026-11-28"]
