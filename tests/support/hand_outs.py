"""What graders saw of a submission, with times: whether it came twice because a lease had run out, or beside one."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise


@dataclass
class HandOut:
    """A submission that a grader got: when it asked, when it was answered, what became of its result (monotonic s)."""

    submission: int
    asked: float
    got: float
    tries: list[tuple[float, str]] = field(default_factory=list)  # of put_result, that nobody answered
    answer: tuple[float, int, str] | None = None

    def tried(self, at: float, why: str) -> None:
        """Note that put_result had no answer."""
        self.tries.append((at, why))

    def answered(self, at: float, code: int, content: str) -> None:
        """Note the answer of put_result."""
        self.answer = at, code, content

    def __str__(self) -> str:
        """Say it, as the message of a test that failed."""
        lines = [f"{self.submission}: asked {self.asked:.2f}, got {self.got:.2f}"]
        lines += [f"  {at:.2f} {why}" for at, why in self.tries]
        if self.answer:
            lines.append("  {:.2f} answered {} {}".format(*self.answer))
        return "\n".join(lines)


def leased_beside(hand_outs: Iterable[HandOut], lease_seconds: float) -> list[tuple[HandOut, HandOut]]:
    """Return the pairs of hand-outs of one submission that no lease which had run out explains.

    A lease begins after it was asked for, so what comes again sooner than its length after that is leased twice at a
    time. And work whose result was answered 0 is done, whoever had it.
    """
    by_submission = defaultdict(list)
    for hand_out in sorted(hand_outs, key=lambda each: each.got):
        by_submission[hand_out.submission].append(hand_out)
    pairs = [pair for several in by_submission.values() for pair in pairwise(several)]
    return [
        (first, second)
        for first, second in pairs
        if second.got - first.asked < lease_seconds or (first.answer and first.answer[1] == 0)
    ]
