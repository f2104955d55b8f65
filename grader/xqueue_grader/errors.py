"""What can go wrong with grading: what concerns one submission, and what concerns the grader."""

from xqueue_grader.common.errors import XQueueError


class GradingError(XQueueError):
    """A submission could not be graded: that was an attempt, and it comes back, or is parked at last."""


class FunctionFailedError(GradingError):
    """The grading function raised in another process; the text says what, `trace` where."""

    def __init__(self, why: str, trace: str) -> None:
        super().__init__(why, trace)  # both, or it could not be sent from there
        self.trace = trace

    def __str__(self) -> str:
        return str(self.args[0])


class UnreadableBodyError(GradingError, ValueError):
    """A submission's body has not the part that a function asks for; nothing of it is quoted."""


class GraderBrokenError(XQueueError):
    """A grader can grade nothing any more; the submissions at hand go back, untouched."""
