"""The command `make simulate`: prints what the relay makes of each scenario, and ends with 1 if a goal is missed."""

import sys

from rich.console import Console

from bench.goals import as_table
from bench.simulation.scenarios import SCENARIOS


def main() -> None:
    """Run all scenarios, one after the other."""
    figures = [figure for scenario in SCENARIOS.values() for figure in scenario()]
    Console().print(as_table(figures))
    sys.exit(any(not figure.is_good for figure in figures))


if __name__ == "__main__":
    main()
