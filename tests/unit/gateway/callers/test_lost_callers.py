"""Who keeps being sent to login/ and never logs in is named once; who logs in each time never is."""

import logging
from collections.abc import Iterator

import pytest

from gateway.callers.lost_callers import (
    AGAIN_SECONDS,
    FORGOTTEN_SECONDS,
    MAX_CALLERS,
    MAX_LINES_A_DAY,
    SECONDS,
    VISITS,
    LostCallers,
    Wanderer,
)
from tests.support.clock import Clock

WATCHER = Wanderer("10.0.0.7", "python-requests/2.31", "get_submission", "openedx")
LMS = Wanderer("10.0.0.7", "python-requests/2.31", "submit", "")


@pytest.fixture
def lost(clock: Clock) -> LostCallers:
    return LostCallers(clock)


@pytest.fixture(autouse=True)
def _logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.WARNING):
        yield


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_a_watcher_that_never_logs_in_is_named_once_with_all_that_finds_it(
    lost: LostCallers, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(500):
        lost.sent_to_login(WATCHER)
        clock.now += 2
    [line] = lines(caplog)
    assert line.startswith(
        "10.0.0.7 ('python-requests/2.31') was sent to login/ 20 times in 38 s and does not log in: "
        "it wants get_submission of queue 'openedx'."
    )


def test_it_is_named_again_a_day_later_with_its_count(
    lost: LostCallers, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    while clock.now < 1000 + AGAIN_SECONDS + 1300:
        lost.sent_to_login(WATCHER)
        clock.now += 60
    assert len(lines(caplog)) == 2
    assert f"{VISITS} times" in lines(caplog)[0]
    assert "1460 times" in lines(caplog)[1]


def test_who_logs_in_each_time_is_never_named_and_hides_nobody_behind_the_same_address(
    lost: LostCallers, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(100):
        lost.sent_to_login(WATCHER)
        clock.now += 1
        lost.sent_to_login(LMS)
        lost.logged_in(LMS.address, LMS.agent)
        clock.now += 1
    [line] = lines(caplog)
    assert "get_submission" in line


def test_many_threads_that_come_before_the_first_has_logged_in_are_nobody_lost(
    lost: LostCallers, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(10 * VISITS):
        lost.sent_to_login(WATCHER)
    assert lines(caplog) == []


def test_who_comes_now_and_then_is_not_named(lost: LostCallers, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(10 * VISITS):
        lost.sent_to_login(WATCHER)
        clock.now += FORGOTTEN_SECONDS + 1
    assert lines(caplog) == []


def test_strangers_fill_neither_memory_nor_log(
    lost: LostCallers, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        for number in range(2 * MAX_LINES_A_DAY):
            for _ in range(VISITS):
                lost.sent_to_login(Wanderer("1.2.3.4", f"agent\n{number}" + "x" * 1000, "submit", ""))
        clock.now += SECONDS
    assert len(lines(caplog)) == MAX_LINES_A_DAY
    assert max(map(len, lines(caplog))) < 500
    assert not any("\n" in line for line in lines(caplog))
    for number in range(2 * MAX_CALLERS):
        lost.sent_to_login(Wanderer("1.2.3.4", str(number), "submit", ""))
    assert len(lost._visits) == MAX_CALLERS


def test_a_login_of_somebody_who_was_never_sent_there_changes_nothing(lost: LostCallers) -> None:
    lost.logged_in("1.2.3.4", "")
