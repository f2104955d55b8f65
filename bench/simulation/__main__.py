"""The command `make simulate`: prints what the relay makes of each scenario, and ends with 1 if a goal is missed."""

import sys

from rich.console import Console
from rich.table import Table

from bench.simulation.scenarios import SCENARIOS


def main() -> None:
    """Run all scenarios, one after the other."""
    table = Table("scenario", "what", "value", "goal")
    figures = [figure for scenario in SCENARIOS.values() for figure in scenario()]
    for figure in figures:
        goal = f"{figure.at_most:g}" if figure.is_good else f"{figure.at_most:g}, missed"
        table.add_row(figure.scenario, figure.what, f"{figure.value:.4g}", goal)
    Console().print(table)
    sys.exit(any(not figure.is_good for figure in figures))


if __name__ == "__main__":
    main()
