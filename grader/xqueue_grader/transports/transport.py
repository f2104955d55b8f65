"""The seam between grading and what submissions come by: what a transport hands over, and what it is told of it.

A transport hands each submission over as a lease, by calling `Grading.serve` in a task of its own. What is settled is
settled by `Lease.end`, once. Where a lease is lost, cancel its task: the grading ends, and `end` is called all the
same. A transport whose leases run out extends them itself, from when it hands them over until `end`.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from xqueue_grader.settlement import Settlement
from xqueue_grader.submission import Submission


class Lease(Protocol):
    """A submission that is this grader's alone, until it is settled or lost."""

    @property
    def queue(self) -> str:
        """The course queue that it comes from."""

    @property
    def name(self) -> str | None:
        """What logs call it, before it has been read: its uuid, or its id."""

    @property
    def returns(self) -> int:
        """How often it came back to its queue without an end, 0 where nobody counts that."""

    @property
    def is_call(self) -> bool:
        """Whether a program inside asks, and no LMS: its reply is not looked at."""

    def read(self) -> Submission:
        """Return what the function sees; raise BadMessageError where it is no submission."""

    async def answer(self, reply: bytes) -> Settlement:
        """Store the reply, however long that takes, and say how the submission ends: Answered, or Failed.

        Raise MessageTooLargeError where it is larger than can be stored.
        """

    async def end(self, settlement: Settlement) -> None:
        """Settle it: it is answered, it failed (which counts as an attempt), or it goes back untouched."""


class Grading(Protocol):
    """What a transport is given: whoever grades what it takes."""

    async def serve(self, lease: Lease) -> None:
        """Grade a submission and end its lease, in a task of its own, which waits until there is room."""

    def give_back(self, queue: str) -> None:
        """Give back what of a course queue has not begun: nothing of it is to be graded now."""


class Transport(Protocol):
    """Takes submissions of some course queues, up to a bound for each queue."""

    def opened(self, broken: Callable[[str], None]) -> AbstractAsyncContextManager[None]:
        """Make it stand for as long as the block runs; it calls `broken`, with a reason, where it no longer can."""

    async def take(self, grading: Grading) -> None:
        """Hand submissions over until cancelled; those at hand can be answered and ended after that.

        Outages are no reason to end: it begins again by itself. What it raises is a mistake of ours.
        """
