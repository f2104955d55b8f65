"""What the log says of an LMS that is sick."""

import logging
from typing import Any

from callback_relay.announcing import FIRST_WORD, LATER_WORD, Announcer, Line, Repeats
from callback_relay.evidence import SUSPECTS, FailedUrls
from callback_relay.job import Job
from callback_relay.ladder import Ladder
from callback_relay.pace import Pace
from callback_relay.reason import Reason

ANSWERED_503 = Reason("status_503", "answered 503")
MOVED = Reason("status_3xx", "answered 302 to https://elsewhere.example, and redirects are not followed")


def sick(reason: Reason = ANSWERED_503, *, refuses: bool = False) -> Pace[Job]:
    pace: Pace[Job] = Pace("http://lms", Ladder((1, 5, 30)), 1, FailedUrls())
    for number in range(SUSPECTS):
        pace.evidence.failed(number, reason, 0)
    pace.refuses = refuses
    return pace


def said(announcer: Announcer, pace: Pace[Any], now: float) -> list[Line]:
    return list(announcer.of_all({pace.origin: pace}, now))


def test_why_an_lms_is_sick_is_said_once() -> None:
    announcer, pace = Announcer(), sick()
    [line] = said(announcer, pace, 0)
    assert line == (
        logging.WARNING,
        "http://lms fails whatever is posted: answered 503. Its results wait; one is tried now and then",
    )
    assert said(announcer, pace, 1) == []


def test_a_condition_of_a_whole_site_is_an_error_and_says_where_it_leads() -> None:
    [line] = said(Announcer(), sick(MOVED, refuses=True), 0)
    assert line.level == logging.ERROR
    assert "302 to https://elsewhere.example" in line.text
    assert "none is parked" in line.text


def test_another_answer_is_said_too() -> None:
    announcer, pace = Announcer(), sick()
    said(announcer, pace, 0)
    pace.evidence.failed("any", MOVED, 1)
    pace.refuses = True
    [line] = said(announcer, pace, 1)
    assert line.level == logging.ERROR
    pace.evidence.failed("any", ANSWERED_503, 2)
    assert said(announcer, pace, 2) == []


def test_how_many_wait_and_when_the_next_probe_goes_is_said_now_and_then() -> None:
    announcer, pace = Announcer(), sick()
    pace.away = 123
    said(announcer, pace, 0)
    times = [now for now in range(1, 7200) if said(announcer, pace, now)]
    assert times[0] == FIRST_WORD
    assert times[-1] - times[-2] == LATER_WORD
    pace.trickle.probed(7200)
    [line] = said(announcer, pace, 7200 + LATER_WORD)
    assert "123 results on rungs, 0 here; the next probe goes in 0 s" in line.text
    assert "sick for 135 min (answered 503)" in line.text


def test_that_it_is_back_is_said_with_how_many_come_now() -> None:
    announcer, pace = Announcer(), sick()
    pace.away = 7
    said(announcer, pace, 0)
    pace.evidence.succeeded("good", 1)
    [line] = said(announcer, pace, 1)
    assert line.level == logging.WARNING
    assert line.text.startswith("http://lms is back: 0 results here go out now, 7 that wait on rungs as each rung ends")
    assert said(announcer, pace, 2) == []


def test_nothing_is_remembered_of_an_lms_that_is_gone() -> None:
    announcer = Announcer()
    said(announcer, sick(), 0)
    assert list(announcer.of_all({}, 1)) == []
    assert not announcer._said


def test_repeats_of_graders_are_told_of_at_once_and_then_once_a_minute_with_their_number() -> None:
    repeats = Repeats()
    assert "(1 of AMQP graders" in next(repeats.of("0" * 32, "mallory", 0.0)).text
    assert [line for second in range(1, 60) for line in repeats.of("0" * 32, "mallory", float(second))] == []
    [line] = repeats.of("0" * 32, "mallory", 60.0)
    assert line.level == logging.INFO
    assert "repeat of user 'mallory'" in line.text
    assert "(60 of AMQP graders" in line.text
