"""The goals of `make bench`; a figure beside what it may be at the most, and the table that shows if all are good."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

# At least so much of what a bare program does a second; at most so many microseconds of the process's CPU for each.
SUBMITS_OF_BARE, SUBMIT_MICROSECONDS = 0.7, 150.0
CYCLES_OF_BARE, CYCLE_MICROSECONDS = 0.7, 330.0
CALLBACKS_OF_BARE = 0.7
GRADER_OF_BARE, GRADER_IN_THREADS_OF_BARE = 1.0, 0.9

# At most so many times as long as without it.
LARGE_BACKLOG = 1.2  # submit and poll, a median, beside a thousand that wait
SLOW_LMS = 1.2  # put_result, the slowest hundredth
HELD_POLLS = MANY_QUEUES = 1.3  # get_submission, a median

# Of one gateway: seconds from its start until it is ready, and its memory then, in MiB.
BUSY_DAY_SECONDS, BUSY_DAY_MEBIBYTES = 12.0, 200.0
QUIET_DAYS_SECONDS = 8.0
BACKLOG_SECONDS, BACKLOG_MEBIBYTES = 12.0, 150.0


@dataclass(frozen=True)
class Figure:
    """One line of the table: a value in seconds, or a count, and what it may be at the most."""

    scenario: str
    what: str
    value: float
    at_most: float

    @property
    def is_good(self) -> bool:
        """Whether the goal is reached."""
        return self.value <= self.at_most

    def as_dict(self) -> dict[str, Any]:
        """Return it for a program."""
        value = round(self.value, 1)
        named = {"scenario": self.scenario, "what": self.what}
        return {**named, "value": value, "at_most": self.at_most, "good": self.is_good}


def as_table(figures: Sequence[Figure]) -> Table:
    """Show them for people, each scenario's name once."""
    table = Table("scenario", "what", "value", "goal")
    before = ""
    for figure in figures:
        goal = f"{figure.at_most:g}" if figure.is_good else f"{figure.at_most:g}, missed"
        if before not in {"", figure.scenario}:
            table.add_section()
        name = "" if figure.scenario == before else figure.scenario
        table.add_row(name, figure.what, f"{figure.value:.4g}", goal)
        before = figure.scenario
    return table
