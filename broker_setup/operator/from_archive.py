"""Which archived submissions an operator means, as the archive's commands and `regrade` are told it."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from msgspec import Struct

from broker_setup.archive.archive import Archive
from broker_setup.archive.archive_store import open_archive_store
from broker_setup.archive.entries import Kept
from broker_setup.archive.seals import ArchiveSeals
from broker_setup.archive.where import all_of, condition_of
from broker_setup.operator.console import moment, no_such_queue, progress
from broker_setup.settings import Settings
from broker_setup.visible import numbered

# What the settings must have.
NEEDED = ("SECRET_KEY", "ARCHIVE_STORE")

Since = Annotated[str | None, typer.Option(help="Submitted since: 2h, 3d, or ISO 8601 (UTC).", show_default=False)]
Until = Annotated[str | None, typer.Option(help="... and before.", show_default=False)]
Where = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CONDITION",
        help="NAME=VALUE (also !=, ~ for a part, <, >, <=, >=); may be given several times, and all hold.",
        show_default=False,
    ),
]


class Meant(Struct, frozen=True):
    """Those of a queue from `since` to before `until` (seconds since the epoch) for which all of `where` holds."""

    queue: str
    since: float | None = None
    until: float | None = None
    where: Sequence[str] = ()


def archive_of(settings: Settings) -> Archive:
    """Open the archive; raise SettingsError where that can't be."""
    return Archive(open_archive_store(settings), ArchiveSeals(settings.secrets))


def meant_by(
    settings: Settings, queue: str, since: str | None, until: str | None, where: Sequence[str] | None
) -> Meant:
    """Read what an operator typed; raise ArgumentError for what is none."""
    if queue not in settings.xqueues:
        raise no_such_queue(queue, settings)
    now = datetime.now(UTC)
    all_of(map(condition_of, where or ()))
    began, ended = (None if text is None else moment(text, now).timestamp() for text in (since, until))
    return Meant(queue, began, ended, tuple(where or ()))


async def selected(archive: Archive, meant: Meant) -> AsyncIterator[Kept]:
    """Yield what is meant, day by day, so that no more than a few are in memory."""
    is_meant = all_of(map(condition_of, meant.where))
    with progress() as shown:
        task = shown.add_task("reading the archive", total=None)
        async for kept in archive.select(meant.queue, meant.since, meant.until):
            shown.advance(task)
            if is_meant(kept):
                yield kept


def warn_of_unreadable(archive: Archive) -> None:
    """Say on stderr what was left out because it can't be read."""
    if archive.unreadable:
        what = numbered(archive.unreadable, "archived submission")
        typer.echo(f"left out, as they can't be read: {what}; the last: {archive.why_unreadable}", err=True)
