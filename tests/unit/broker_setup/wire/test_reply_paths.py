"""Which check a reply gets is said by the path of its callback URL, however that is written."""

import pytest

from broker_setup.wire.replies import is_checked

CHECKED = (
    "http://lms/score_update",
    "https://lms.example:8000/courses/course-v1:a+b+c/xqueue/12/i4x:;_;_a@b=~c/score_update/",
    "http://lms/a/ungraded_response//",
    "http://lms/a/score%5Fupdate",
    "http://lms/a/score_update?next=/b",
    "http://lms/a/score_update#/b",
    "http://user:password@lms/a/score_update",
    "http://[::1]/a/score_update",
    "HTTP://lms/a/score_update",
)
UNCHECKED = (
    "http://score_update",
    "http://lms",
    "http://lms/score_update/b",
    "http://lms/a_score_update",
    "http://lms/a?b=/score_update",
    "http://lms/a#/score_update",
    "http://lms/a%3F/score_update%2Fb",
    "http://[lms/score_update",
)


@pytest.mark.parametrize("url", CHECKED)
def test_a_path_that_ends_in_a_check_of_the_lms_is_found(url: str) -> None:
    assert is_checked(url)


@pytest.mark.parametrize("url", UNCHECKED)
def test_what_only_looks_like_one_is_none(url: str) -> None:
    assert not is_checked(url)
