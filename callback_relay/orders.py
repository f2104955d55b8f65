"""What the schedule wants done."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from callback_relay.job import Job
from callback_relay.verdict import Park, Repeat, Retry

J = TypeVar("J", bound=Job)


@dataclass(frozen=True, slots=True)
class Post(Generic[J]):
    """Make this job's callback now, tell `outcome` how it went and then `ended` what became of it."""

    job: J


@dataclass(frozen=True, slots=True)
class Settle(Generic[J]):
    """End this job's delivery as the verdict says; it was not posted."""

    job: J
    verdict: Repeat | Retry | Park


Order = Post[J] | Settle[J]
