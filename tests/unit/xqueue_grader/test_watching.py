"""Who looks on while a grader works is told how each grading ended, and can't disturb it."""

import logging

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from tests.support.metrics import shown_by
from tests.support.promtool import promtool
from xqueue_grader import End
from xqueue_grader.metrics import GraderMetrics
from xqueue_grader.settlement import Answered, Failed, GivenBack
from xqueue_grader.watching import Watched


def test_each_way_to_end_is_counted_and_what_is_under_way_is_shown() -> None:
    registry = CollectorRegistry()
    watched = Watched(GraderMetrics(registry))
    for settlement in (Answered(), Answered(), Failed("it raised"), GivenBack()):
        watched.begun("red")
        watched.ended("red", settlement, 0.2)
    watched.begun("blue")
    said = shown_by(registry)
    assert said["xqueue_grader_submissions_total"] == {
        ("red", "graded"): 2,
        ("red", "failed"): 1,
        ("red", "given_back"): 1,
        ("blue", "graded"): 0,
        ("blue", "failed"): 0,
        ("blue", "given_back"): 0,
    }
    assert said["xqueue_grader_under_way"] == {("red",): 0, ("blue",): 1}
    assert said["xqueue_grader_grading_seconds_count"]["red",] == 4
    checked = promtool("check", "metrics", given=generate_latest(registry).decode())
    assert (checked.returncode, checked.stdout) == (0, "")


def test_a_watch_that_fails_is_logged_and_disturbs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def begun(self, queue: str) -> None:
            raise KeyError(queue)

        def ended(self, queue: str, end: End, seconds: float) -> None:
            raise ValueError(queue)

    watched = Watched(Broken())
    with caplog.at_level(logging.ERROR):
        watched.begun("red")
        watched.ended("red", Answered(), 1)
    assert caplog.messages == ["what watches this grader failed"] * 2


def test_nobody_need_look_on() -> None:
    Watched(None).begun("red")
    Watched(None).ended("red", Answered(), 1)
