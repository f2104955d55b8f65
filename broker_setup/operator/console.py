"""What all commands share: the settings, how times are typed and shown, tables, and the progress on stderr."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console, ConsoleOptions
from rich.measure import Measurement
from rich.progress import Progress
from rich.table import Column, Table
from rich.text import Text

from broker_setup.errors import ArgumentError
from broker_setup.settings import Settings, load_settings
from broker_setup.visible import visible

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program instead of text for a person.")]

# Wide enough that nothing is cut where the output goes to a file or a pipe.
PIPE_COLUMNS = 240
WIDEST_COLUMNS = 10_000

_RELATIVE = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def settings_of(require: Iterable[str] = ()) -> Settings:
    """Read the settings; say on stderr what of them means nothing here."""
    settings, warnings = load_settings(require)
    for warning in warnings:
        typer.echo(warning, err=True)
    return settings


def warn_of_no_queue(settings: Settings) -> None:
    """Say on stderr that the answer is about no course queue, which is hardly what an operator wants."""
    if not settings.xqueues:
        typer.echo("XQUEUES names no queue", err=True)


def no_such_queue(queue: str, settings: Settings) -> ArgumentError:
    """Say that a queue that an operator named is none of XQUEUES, and which are."""
    return ArgumentError(f"no queue {queue!r}; there are: {', '.join(sorted(settings.xqueues)) or 'none'}")


def warn_of_missed(missed: int) -> None:
    """Say on stderr that the answer is not about all that the broker counted."""
    if missed:
        typer.echo(
            f"{missed} that the broker counted did not come: it is slow, or others took them; run it again", err=True
        )


def moment(text: str, now: datetime) -> datetime:
    """Read a time: `2h` (two hours before now; s, m, h, d), or ISO 8601, in UTC unless it says otherwise.

    Raise ArgumentError for anything else.
    """
    try:
        if relative := _RELATIVE.fullmatch(text):
            return now - timedelta(seconds=float(relative[1]) * _SECONDS[relative[2]])
        read = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise ArgumentError(f"{text!r} is no time: give 2h, 3d or 2025-01-31T12:00:00") from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def moment_to_come(text: str, now: datetime) -> datetime:
    """Read a time to come: `2h` (two hours from now; s, m, h, d), or ISO 8601, in UTC unless it says otherwise.

    Raise ArgumentError for anything else, and for one that is over.
    """
    read = moment(text, now)
    if _RELATIVE.fullmatch(text):
        read = now + (now - read)
    if read <= now:
        raise ArgumentError(f"{text!r} is over")
    return read


def shown(at: float) -> str:
    """Show a time (seconds since the epoch) to a person: UTC, milliseconds."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "Z"


def iso(at: float) -> str:
    """Show a time to a program: ISO 8601 in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def span(seconds: float) -> str:
    """Show a length of time to a person, to two places: `340 ms`, `4.2 s`, `3 min 20 s`, `5 h 10 min`, `2 d 3 h`."""
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    for unit, size, below, part in (("min", 60, 3600, "s"), ("h", 3600, 86400, "min"), ("d", 86400, 0, "h")):
        if seconds < below or not below:
            whole, rest = divmod(int(seconds), size)
            return f"{whole} {unit} {rest * {'s': 60, 'min': 60, 'h': 24}[part] // size} {part}"
    raise AssertionError


def cell(text: str) -> Text:
    """Make what a table shows of a text whoever wrote it: brackets are no markup, and nothing moves the cursor."""
    return Text(visible(text))


def add_row(table: Table, *texts: str) -> None:
    """Add a row of texts to a table."""
    table.add_row(*map(cell, texts))


def in_one_line(*headers: str) -> Sequence[Column]:
    """Make columns whose cells are broken over no two lines, such as `1 min 56 s`."""
    return [Column(header, no_wrap=True) for header in headers]


def show_table(table: Table) -> None:
    """Print a table to stdout, no word of it cut: row below row, where a terminal is narrower than its longest words.

    Left to itself rich makes the widest columns narrower, whatever stands in them, and cuts that.
    """
    console = Console()
    unbounded = console.options.update(max_width=WIDEST_COLUMNS)
    needs = [_need(console, unbounded, column) for column in table.columns]
    for column, need in zip(table.columns, needs, strict=True):
        column.min_width = need.minimum
    least = console.measure(table, options=unbounded).minimum
    width = console.width if console.is_terminal else max(PIPE_COLUMNS, least)
    if least > width:
        _show_rows(table)
        return
    for column, size in zip(table.columns, shared_out(needs, width - least), strict=True):
        column.width = size
    Console(width=width).print(table)


def _show_rows(table: Table) -> None:
    """Print each row by itself, with a line for each of its cells that is not empty."""
    headers = [str(column.header) for column in table.columns]
    widest = max(map(len, headers))
    if table.title:
        print(table.title)
    for row in zip(*(map(str, column.cells) for column in table.columns), strict=True):
        for header, text in zip(headers, row, strict=True):
            if text:
                print(f"{header:{widest}}  {text}")
        print()


def _need(console: Console, options: ConsoleOptions, column: Column) -> Measurement:
    """Measure the longest word, and the longest line, of a column."""
    cells = [Measurement.get(console, options, each) for each in (column.header, *column.cells)]
    longest = max(cell.maximum for cell in cells)
    return Measurement(longest if column.no_wrap else max(cell.minimum for cell in cells), longest)


def shared_out(needs: Sequence[Measurement], spare: int) -> list[int]:
    """Give each column what its longest word takes, and of `spare` its share of what its longest line takes beyond."""
    wanted = sum(need.span for need in needs)
    spare = min(spare, wanted)
    return [need.minimum + (need.span * spare // wanted if wanted else 0) for need in needs]


def progress() -> Progress:
    """Make a progress display on stderr that leaves no trace, and shows nothing where that is not a terminal."""
    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)
