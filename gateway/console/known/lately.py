"""What happened lately: how much came and was graded, by queue and time, and which grader took what; bounded."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import time

from broker_setup.ledger.answers import Outcome
from broker_setup.ledger.events import AnyEvent, Graded, Leased, Submitted

STEP_SECONDS = 300.0
STEPS = 288  # a day
# Of strangers' queue names and accounts there can be any number.
MOST_QUEUES, MOST_GRADERS = 1_000, 2_000
_KINDS: dict[type, str] = {Submitted: "submitted", Leased: "taken", Graded: "graded"}


@dataclass
class GraderSeen:
    """A grader's account at a queue: when it took something last, and how much in the last day."""

    queue: str
    grader: str
    last_at: float
    gateway: str
    by_step: dict[int, int] = field(default_factory=dict)

    def taken(self, now: float) -> int:
        """Count what it took in the last day."""
        return sum(number for step, number in self.by_step.items() if step > now // STEP_SECONDS - STEPS)


class Lately:
    """Tell it of each event."""

    def __init__(self) -> None:
        self._by_queue: dict[tuple[str, str], dict[int, int]] = {}
        self._graders: OrderedDict[tuple[str, str], GraderSeen] = OrderedDict()
        self._last_taken: dict[str, GraderSeen] = {}

    def take(self, event: AnyEvent, outcome: Outcome, writer: str) -> None:
        """Take in an event, as it was applied."""
        kind = _KINDS.get(type(event))
        if kind is None or not outcome.valid:
            return
        queue: str = getattr(event, "queue", "")
        _count(self._steps_of(queue, kind), event.at)
        if isinstance(event, Leased):
            seen = self._graders.get((queue, event.grader))
            if seen is None:
                seen = self._graders[queue, event.grader] = GraderSeen(queue, event.grader, event.at, writer)
                if len(self._graders) > MOST_GRADERS:
                    self._graders.popitem(last=False)
            self._graders.move_to_end((queue, event.grader))
            seen.last_at, seen.gateway = event.at, writer
            _count(seen.by_step, event.at)
            self._last_taken[queue] = seen

    def steps(self, queue: str, kind: str, number: int, now: float | None = None) -> Sequence[int]:
        """Return how many there were in each of the last `number` steps, the newest last."""
        last = int((time() if now is None else now) // STEP_SECONDS)
        counted = self._by_queue.get((queue, kind), {})
        return [counted.get(step, 0) for step in range(last - number + 1, last + 1)]

    def graders(self) -> list[GraderSeen]:
        """Return who has taken something in the window, the last to do so first."""
        return sorted(self._graders.values(), key=lambda seen: -seen.last_at)

    def last_taken(self, queue: str) -> GraderSeen | None:
        """Return who took something from a queue last."""
        return self._last_taken.get(queue)

    def _steps_of(self, queue: str, kind: str) -> dict[int, int]:
        steps = self._by_queue.get((queue, kind))
        if steps is None:
            steps = {}
            if len(self._by_queue) < MOST_QUEUES * len(_KINDS):
                self._by_queue[queue, kind] = steps
        return steps


def _count(steps: dict[int, int], at: float) -> None:
    step = int(at // STEP_SECONDS)
    steps[step] = steps.get(step, 0) + 1
    if len(steps) > 2 * STEPS:
        for old in sorted(steps)[:-STEPS]:
            del steps[old]
