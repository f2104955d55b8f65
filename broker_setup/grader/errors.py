"""What can go wrong with grading: what concerns one submission, and what concerns the grader."""

from broker_setup.errors import XQueueError


class GradingError(XQueueError):
    """A submission could not be graded: that was an attempt, and it comes back, or is parked at last."""


class GraderBrokenError(XQueueError):
    """A grader can grade nothing any more; the submissions at hand go back, untouched."""
