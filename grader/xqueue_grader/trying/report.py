"""What is printed of a try: for people, and for programs."""

import json
from dataclasses import asdict
from textwrap import indent
from typing import Any

from xqueue_grader.common.visible import visible
from xqueue_grader.trying.child import Outcome
from xqueue_grader.trying.verdict import Prospect

# Of reply and text, in characters: the rest is for --json.
MOST_SHOWN = 2000
_LABEL = 10


def report(outcome: Outcome, prospect: Prospect | None) -> str:
    """Say it in lines; without a prospect there is no reply."""
    lines = []
    if prospect is None:
        lines.append(_line("reply", "none"))
        lines.append(
            _line("failed", f"{visible(outcome.failed)}: the submission would come back, and be parked at last")
        )
    else:
        assert outcome.reply is not None
        lines.append(_line("reply", _cut(visible(outcome.reply.encode("latin-1").decode(errors="replace")))))
        lines += fate_of(prospect)
    lines.append(_line("cost", _cost(outcome)))
    return "\n".join(lines)


def as_json(outcome: Outcome, prospect: Prospect | None) -> str:
    """Make one object of it."""
    told: dict[str, Any] = asdict(outcome)
    del told["no_function"]
    if outcome.reply is not None:
        told["reply"] = outcome.reply.encode("latin-1").decode(errors="replace")
    told |= {"taken": bool(prospect and not prospect.wrong), **asdict(prospect or Prospect())}
    return json.dumps(told, indent=2)


def fate_of(prospect: Prospect) -> list[str]:
    """Say in lines whether a reply is taken, what its student reads, and what is odd."""
    odd = [_line("" if number else "odd", visible(each)) for number, each in enumerate(prospect.odd)]
    if prospect.wrong:
        never = "reads a notice that it could not be graded"
        return [_line("taken", f"NO: {prospect.wrong}"), _line("student", never), *odd]
    points = f"{prospect.score:g} {'point' if prospect.score == 1 else 'points'}"
    shown = indent(_cut(visible(prospect.text, keep="\n")), " " * _LABEL, lambda _: True)
    return [
        _line("taken", "yes"),
        _line("student", f"{'correct' if prospect.correct else 'incorrect'}, {points}, and reads"),
        shown or _line("", "nothing"),
        *odd,
    ]


def _cost(outcome: Outcome) -> str:
    cost = f"{outcome.seconds:.3f} s"
    if outcome.memory:
        mebibytes = f"{outcome.memory / 2**20:.1f} MiB at most, {outcome.memory_before / 2**20:.1f} before it began"
        cost += f", {outcome.cpu_seconds:.3f} s of a processor; {mebibytes}"
    return cost


def _line(label: str, text: str) -> str:
    return f"{label:<{_LABEL}}{text}"


def _cut(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}... ({len(text) - MOST_SHOWN} more characters)"
