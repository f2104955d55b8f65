"""A result at hand: what order and pace need to know of it."""

from dataclasses import dataclass, field
from typing import NamedTuple

from broker_setup.wire.results import Result, Tries


class Identity(NamedTuple):
    """Which result of which submission; two with the same identity are the same to the LMS."""

    submission: str
    amendment: int
    redriven: int
    notice: bool = False

    @classmethod
    def of(cls, result: Result) -> "Identity":
        """Tell who a result is; of a submission all notices are alike."""
        if result.notice:
            return cls(result.submission, 0, 0, notice=True)
        return cls(result.submission, result.amendment, result.redriven, result.notice)


class Line(NamedTuple):
    """Where a result stands in line: its whole callback URL, and its course queue.

    Whoever may answer another queue may name any URL, and must not hold up those of this one.
    """

    url: str
    queue: str


@dataclass(eq=False, slots=True)
class Job:
    """A result that was delivered to this relay and is not settled yet.

    `url` is the whole callback URL, `origin` the LMS as scheme://host:port, `queue` the course queue; `graded_at` and
    `submitted_at` are seconds since the epoch. A job is `void` once the channel that brought it is gone: the broker
    delivers it again. It `comes_back` where this relay knows that it waited on a rung. It is `unread` where no process
    of ours had looked at it before: it came straight from an AMQP grader.
    """

    identity: Identity
    url: str
    origin: str
    queue: str
    tries: Tries
    graded_at: float
    submitted_at: float
    unread: bool = field(default=False, kw_only=True)
    line: Line = field(init=False)  # in which it stands
    void: bool = field(default=False, init=False)
    comes_back: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """Work its line out, which is asked for again and again."""
        self.line = Line(self.url, self.queue)

    @property
    def is_tried(self) -> bool:
        """Whether a callback was made for it before."""
        return self.tries.made > 0
