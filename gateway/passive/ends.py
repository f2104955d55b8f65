"""How the serving of one delivery ends."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Publish:
    """The grader has answered: `answer` publishes that, confirmed; ack the delivery then."""

    answer: Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class GiveUp:
    """There will be no answer: a caller is told, a submission is parked; `unread` where reading it might kill us."""

    reason: str
    unread: bool = False


@dataclass(frozen=True)
class GiveBack:
    """We stop before there is an answer: another bridge gets it."""
