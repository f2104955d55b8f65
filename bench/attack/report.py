"""The table that people read."""

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from bench.attack.battle import Outcome


def as_table(outcomes: Sequence[Outcome]) -> Table:
    """Lay out what each attack did; seconds and MiB."""
    measured = ("MiB at most", "kept", "call p99", "/healthz", "bare", "turns", "delivered")
    table = Table("row", "who", "attack", *measured, "bounds")
    for each in outcomes:
        table.add_row(
            str(each.attack.row or ""),
            each.attack.who,
            "\n".join(
                [each.attack.name, f"[dim]{escape(each.said)}[/dim]", *(escape(str(one)) for one in each.figures)]
            ),
            f"{_largest(each.grown)} of {each.attack.mib}",
            _largest(each.kept),
            f"{each.call_p99:.2f} s",
            f"{each.healthz_longest:.2f} s",
            f"{each.bare_longest:.2f} s",
            f"{each.share:.0%}, load {each.load:.0f}",
            f"{each.delivered_p99:.2f} s",
            escape("\n".join(each.wrong)) or "kept",
        )
    return table


def _largest(mib: dict[str, float]) -> str:
    name = max(mib, key=mib.__getitem__, default="")
    return f"{max(mib[name], 0):.0f} {name}" if name else ""
