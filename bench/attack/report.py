"""The table that people read."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.attack.battle import Outcome

# In a log, whose width nobody knows.
LOG_WIDTH = 180


def console(*, stderr: bool = False) -> Console:
    """Open a terminal, or something that is none and takes long lines."""
    opened = Console(stderr=stderr)
    return opened if opened.is_terminal else Console(stderr=stderr, width=LOG_WIDTH)


def as_table(outcomes: Sequence[Outcome]) -> Table:
    """Lay out what each attack did; seconds and MiB."""
    table = Table("row", "who", "attack", "MiB beyond before", "others waited", "delivered", "machine", "bounds")
    for each in outcomes:
        told = [f"[dim]{escape(str(line))}[/dim]" for line in (each.said, *each.figures)]
        table.add_row(
            str(each.attack.row or ""),
            each.attack.who,
            "\n".join([each.attack.name, *told]),
            f"{_largest(each.grown)} of {each.attack.mib}\n{_largest(each.kept)} kept",
            f"call p99 {each.call_p99:.2f} s\n/healthz {each.healthz_longest:.2f} s",
            f"p99 {each.delivered_p99:.2f} s",
            f"bare {each.bare_longest:.2f} s\nturns {each.share:.0%}\nload {each.load:.1f}",
            escape("\n".join(each.wrong)) or "kept",
        )
    return table


def _largest(mib: dict[str, float]) -> str:
    name = max(mib, key=mib.__getitem__, default="")
    return f"{name} {max(mib[name], 0):.0f}" if name else ""
