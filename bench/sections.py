"""What `make bench` is made of: sections, each measured alone where the command line asks for it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.stack import BenchError, Stack
from tests.support.broker import Broker, temporary_vhost


@dataclass
class Run:
    """One run of the bench: its broker, a folder for it, how much it measures, and who is told of each step."""

    broker: Broker
    folder: Path
    chosen: frozenset[str]
    quick: bool
    rounds: int
    done: Callable[[], None]
    # Each hands out numbers that nothing else of the run has: of stacks, and of a thousand submissions.
    _stacks: Iterator[int] = field(default_factory=count)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @contextmanager
    def stack(self, *, gateways: int = 1, workers: int = 1, **settings: str) -> Iterator[Stack]:
        """Plan a stack in a virtual host of its own, which goes with the block."""
        with temporary_vhost(self.broker) as vhost:
            folder = self.folder / str(next(self._stacks))
            yield Stack(vhost.amqp_url, folder, gateways=gateways, workers=workers, settings=settings)


@dataclass(frozen=True)
class Measured:
    """What a section found: the same for people and for programs."""

    table: Table
    rows: Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Section:
    """A part of the bench: the figures that it can measure, by the names that `--only` knows."""

    title: str
    figures: Sequence[str]
    steps: Callable[[Run], int]  # how often it will call `done`
    measure: Callable[[Run], Measured]


def chosen_of(only: str, sections: Sequence[Section]) -> frozenset[str]:
    """Return the figures that `--only` names, all if it names none; raise BenchError at a name that is none."""
    known = [figure for section in sections for figure in section.figures]
    wanted = frozenset(name.strip() for name in only.split(",") if name.strip())
    if unknown := sorted(wanted.difference(known)):
        raise BenchError(f"--only knows {', '.join(known)}, not {', '.join(unknown)}")
    return wanted or frozenset(known)
