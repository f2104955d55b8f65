"""How the delivery of a submission ends in a grader."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Answered:
    """The reply is stored, or nobody waits for it any more: ack."""


@dataclass(frozen=True)
class Failed:
    """It could not be graded: reject, which counts as an attempt."""

    why: str


@dataclass(frozen=True)
class GivenBack:
    """It was not graded to its end, which is not its fault: back into its queue."""


Settlement = Answered | Failed | GivenBack
