"""How long a gateway takes from its start until it has replayed a ledger, and how much memory it then has."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from bench import goals
from bench.figures import coloured
from bench.sections import Measured, Run

KINDS = ("busy", "quiet", "backlog")


@dataclass(frozen=True)
class Ledger:
    """A ledger to replay: `kind` is one of bench.ledger's; and what its replay may take, of seconds and MiB."""

    kind: str
    submissions: int
    seconds: float
    mebibytes: float | None

    @property
    def name(self) -> str:
        """Name it for people."""
        what = {
            "busy": "a busy day: {} submissions, full frames",
            "quiet": "quiet days: {} submissions, each event alone",
            "backlog": "a backlog of {} submissions",
        }
        return what[self.kind].format(f"{self.submissions:,}")


LEDGERS = (
    Ledger("busy", 1_000_000, goals.BUSY_DAY_SECONDS, goals.BUSY_DAY_MEBIBYTES),
    Ledger("quiet", 100_000, goals.QUIET_DAYS_SECONDS, None),
    Ledger("backlog", 1_000_000, goals.BACKLOG_SECONDS, goals.BACKLOG_MEBIBYTES),
)
QUICK_SHARE = 20  # of a ledger there is so many times less where it is to be quick


@dataclass(frozen=True)
class Replay:
    """What a replay took: from the start of the process until it is ready, and its memory then."""

    ledger: Ledger
    seconds: float
    mebibytes: float

    def as_dict(self) -> dict[str, Any]:
        """Return it for a program."""
        asked = {"goal_seconds": self.ledger.seconds, "goal_mebibytes": self.ledger.mebibytes}
        named = {"kind": self.ledger.kind, "submissions": self.ledger.submissions}
        return named | {"seconds": round(self.seconds, 2), "mebibytes": round(self.mebibytes, 1)} | asked


def best(replays: Sequence[Replay]) -> Replay:
    """Make one of several replays of a ledger: the least of each."""
    return Replay(replays[0].ledger, min(one.seconds for one in replays), min(one.mebibytes for one in replays))


def as_table(replays: Sequence[Replay]) -> Table:
    """Lay the replays out for people, within 80 columns."""
    table = Table(box=SIMPLE)
    table.add_column("a gateway replays", no_wrap=True)
    for heading in ("s", "goal", "MiB", "goal"):
        table.add_column(heading, justify="right", no_wrap=True)
    for replay in replays:
        most = replay.ledger.mebibytes
        table.add_row(
            replay.ledger.name,
            coloured(f"{replay.seconds:.1f}", good=replay.seconds <= replay.ledger.seconds),
            f"{replay.ledger.seconds:.0f}",
            coloured(f"{replay.mebibytes:.0f}", good=not most or replay.mebibytes <= most),
            f"{most:.0f}" if most else "-",
        )
    return table


def steps(run: Run) -> int:
    """Say how often `measure` will call `done`: a ledger is replayed as often as there are rounds, and filled once."""
    return sum(run.rounds for kind in KINDS if kind in run.chosen)


def measure(run: Run) -> Measured:
    """Fill each ledger that is chosen, start a gateway on it `rounds` times, and return the best."""
    found = []
    for ledger in LEDGERS:
        if ledger.kind in run.chosen:
            submissions = ledger.submissions // (QUICK_SHARE if run.quick else 1)
            found.append(best(_replays(run, replace(ledger, submissions=submissions))))
    return Measured(as_table(found), [one.as_dict() for one in found])


def _replays(run: Run, ledger: Ledger) -> list[Replay]:
    replays = []
    with run.stack() as stack:
        stack.declare()
        stack.program("bench.ledger", ledger.kind, str(ledger.submissions))
        for _ in range(run.rounds):
            began = monotonic()
            with stack.gateways():
                replays.append(Replay(ledger, monotonic() - began, stack.mebibytes()))
            run.done()
    return replays
