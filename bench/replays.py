"""How long a gateway takes from its start until it has replayed a ledger, and how much memory it then has."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

GOAL_SECONDS = 30.0
GOAL_MEBIBYTES = 300.0


@dataclass(frozen=True)
class Ledger:
    """A ledger to replay: `kind` is one of bench.ledger's."""

    kind: str
    submissions: int

    @property
    def name(self) -> str:
        """Name it for people."""
        what = {
            "busy": "a busy day: {} submissions, full frames",
            "quiet": "quiet days: {} submissions, each event alone",
            "backlog": "a backlog of {} submissions",
        }
        return what[self.kind].format(f"{self.submissions:,}")


@dataclass(frozen=True)
class Replay:
    """What a replay took: from the start of the process until it is ready, and its memory then."""

    ledger: Ledger
    seconds: float
    mebibytes: float

    def as_dict(self) -> dict[str, Any]:
        """Return it for a program."""
        return asdict(self) | {"goal_seconds": GOAL_SECONDS, "goal_mebibytes": GOAL_MEBIBYTES}


def as_table(replays: Sequence[Replay]) -> Table:
    """Lay the replays out for people, within 80 columns."""
    table = Table(box=SIMPLE)
    table.add_column("a gateway replays", no_wrap=True)
    for heading in ("s", "goal", "MiB", "goal"):
        table.add_column(heading, justify="right", no_wrap=True)
    for replay in replays:
        bounded = replay.ledger.kind == "backlog"
        table.add_row(
            replay.ledger.name,
            _coloured(replay.seconds, GOAL_SECONDS, ".1f"),
            f"{GOAL_SECONDS:.0f}",
            _coloured(replay.mebibytes, GOAL_MEBIBYTES, ".0f") if bounded else f"{replay.mebibytes:.0f}",
            f"{GOAL_MEBIBYTES:.0f}" if bounded else "-",
        )
    return table


def _coloured(value: float, most: float, form: str) -> str:
    return f"[{'green' if value <= most else 'red'}]{value:{form}}"
