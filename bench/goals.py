"""A figure beside what it may be at the most, and the table that shows whether all are good."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table


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
