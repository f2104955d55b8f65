"""Who looks on while a grader works: for metrics of whatever kind its author has."""

import logging
from enum import StrEnum
from typing import Protocol

from xqueue_grader.settlement import Answered, Failed, Settlement

log = logging.getLogger(__name__)


class End(StrEnum):
    """What became of a submission in a grader."""

    GRADED = "graded"  # its reply is stored
    FAILED = "failed"  # rejected, which counts as a failed attempt
    GIVEN_BACK = "given_back"  # not graded to its end, as the grader stops or its broker is away


class Watch(Protocol):
    """Told in the event loop's thread, so it must not wait; `xqueue_grader.metrics` has one for a Prometheus."""

    def begun(self, queue: str) -> None:
        """Take note that the grading of a submission begins."""

    def ended(self, queue: str, end: End, seconds: float) -> None:
        """Take note that it has ended, and how, after so many seconds."""


class Watched:
    """Tells whoever looks on, if anybody does; what goes wrong there must cost no submission."""

    def __init__(self, watch: Watch | None) -> None:
        self._watch = watch

    def begun(self, queue: str) -> None:
        """Say that a grading begins."""
        if self._watch:
            try:
                self._watch.begun(queue)
            except Exception:
                log.exception("what watches this grader failed")

    def ended(self, queue: str, settlement: Settlement, seconds: float) -> None:
        """Say how a grading ended."""
        if self._watch:
            try:
                self._watch.ended(queue, _end_of(settlement), seconds)
            except Exception:
                log.exception("what watches this grader failed")


def _end_of(settlement: Settlement) -> End:
    match settlement:
        case Answered():
            return End.GRADED
        case Failed():
            return End.FAILED
        case _:
            return End.GIVEN_BACK
