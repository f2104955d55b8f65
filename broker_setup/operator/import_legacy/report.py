"""What an import comes to: how many rows of each queue became what, and what was wrong with which."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from broker_setup.operator.import_legacy.fates import Fate


@dataclass
class Report:
    """Counts by queue and fate; `done` rows stood in the ledger from an earlier run, and were left alone.

    Rows beyond `last_id` came after it began.
    """

    last_id: int = 0
    counts: Counter[tuple[str, Fate]] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    refused: dict[int, str] = field(default_factory=dict)
    files: int = 0
    missing: dict[int, list[str]] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many rows were looked at."""
        return self.counts.total() + self.done.total()

    @property
    def live(self) -> int:
        """How many are to be graded or delivered."""
        return sum(count for (_, fate), count in self.counts.items() if fate in {Fate.WAITS, Fate.LEASED, Fate.REPLIED})

    @property
    def queues(self) -> list[str]:
        """The queues of all rows, in order."""
        return sorted({queue for queue, _ in self.counts} | set(self.done))

    def refuse(self, row_id: int, queue: str, why: str) -> None:
        """Note that a row can't be used."""
        self.counts[queue, Fate.REFUSED] += 1
        self.refused[row_id] = why

    def as_dict(self, *, act: bool) -> dict[str, Any]:
        """Put it as a program reads it."""
        return {
            "dry_run": not act,
            "last_id": self.last_id,
            "queues": {
                queue: {str(fate): self.counts[queue, fate] for fate in Fate} | {"done": self.done[queue]}
                for queue in self.queues
            },
            "refused": {str(row_id): why for row_id, why in self.refused.items()},
            "files": self.files,
            "files_missing": {str(row_id): names for row_id, names in self.missing.items()},
        }
