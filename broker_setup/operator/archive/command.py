"""`archive write`, `show`, `export` and `forget`: what was submitted and answered, where it is kept."""

import asyncio
import json
import logging
import os
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from broker_setup.errors import ArgumentError
from broker_setup.link.blocking import count_ready
from broker_setup.operator.archive.views import as_dict, print_kept, print_stock, stock_of
from broker_setup.operator.archive.writer import ArchiveWriter
from broker_setup.operator.carrying_out import agreed
from broker_setup.operator.console import AsJson, settings_of
from broker_setup.operator.from_archive import (
    NEEDED,
    Since,
    Until,
    Where,
    archive_of,
    meant_by,
    selected,
    warn_of_unreadable,
)
from broker_setup.operator.plain_help import PlainTyper
from broker_setup.process.logs import log_to_stderr
from broker_setup.settings import Settings
from broker_setup.topology import ARCHIVED_RESULTS, ARCHIVED_SUBMISSIONS
from broker_setup.visible import numbered
from broker_setup.wire.properties import is_uuid

if TYPE_CHECKING:
    from broker_setup.archive.places import Place

archive = PlainTyper(
    help="Keep what was submitted and answered, look at it, and forget it.", no_args_is_help=True, add_completion=False
)
Queue = Annotated[str, typer.Argument(help="The queue, as the LMS names it.", show_default=False)]
MaybeQueue = Annotated[str | None, typer.Argument(help="The queue, as the LMS names it.", show_default=False)]
Uuids = Annotated[list[str] | None, typer.Option("--uuid", help="This submission; may be given several times.")]


@archive.command("write")
def write(
    *,
    once: Annotated[bool, typer.Option("--once", help="End when nothing waits to be written.")] = False,
) -> None:
    """Write the archive: a process that runs all the time, beside gateways and relay; SIGTERM stops it.

    It takes what was copied for it out of two queues, keeps what is of a queue with `archive` in QUEUE_OPTIONS, and
    removes what is older than ARCHIVE_MAX_AGE, once an hour. Killed, it loses nothing. There may be several.
    """
    settings = settings_of(require=NEEDED)
    logging.getLogger().handlers.clear()  # what the commands that end have, which log nothing
    log_to_stderr(settings.log_level, settings.log_format)
    if not settings.archived_queues:
        typer.echo("no queue has `archive` in QUEUE_OPTIONS: what waits is passed over, and nothing is kept", err=True)
    os.umask(0o077)  # in a folder it is for its own user alone
    writer = ArchiveWriter(settings, archive_of(settings))
    asyncio.run(_until_stopped(writer, once=once))
    if once:
        print(f"kept {writer.kept}, passed over {writer.passed_over}")


async def _until_stopped(writer: ArchiveWriter, *, once: bool) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, writer.stop)
    await writer.run(once=once)


@archive.command("show")
def show(
    uuid: Annotated[str | None, typer.Argument(help="One submission's uuid.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Show how much is kept of each queue, or one submission with what was answered to it."""
    settings = settings_of(require=NEEDED)
    kept_here = archive_of(settings)
    if uuid is None:
        stocks = [stock_of(kept_here, queue) for queue in sorted(settings.xqueues)]
        waiting = _waiting(settings)
        if as_json:
            queues = [{name: getattr(each, name) for name in each.__struct_fields__} for each in stocks]
            print(json.dumps({"queues": queues, "not_written": waiting}))
        else:
            print_stock(stocks, waiting)
        return
    places = kept_here.places_of(_named(uuid), settings.xqueues)
    kept = asyncio.run(kept_here.read(places))
    if kept is None:
        raise ArgumentError(f"nothing is archived of {uuid}")
    if as_json:
        print(json.dumps(as_dict(kept)))
    else:
        print_kept(kept)


@archive.command("export")
def export(queue: Queue, *, since: Since = None, until: Until = None, where: Where = None) -> None:
    """Print what is kept of a queue, readable for everybody: a line of JSON for each submission."""
    settings = settings_of(require=NEEDED)
    kept_here, meant = archive_of(settings), meant_by(settings, queue, since, until, where)

    async def lines() -> None:
        async for kept in selected(kept_here, meant):
            print(json.dumps(as_dict(kept)))

    asyncio.run(lines())
    warn_of_unreadable(kept_here)


@archive.command("forget")
def forget(
    queue: MaybeQueue = None,
    *,
    uuid: Uuids = None,
    since: Since = None,
    until: Until = None,
    where: Where = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, say what would be done.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove submissions from the archive, with what was answered to them, and what regrades found of them.

    Say which: by --uuid, or those of a queue, of a time, of a student (--where student=ID).
    """
    settings = settings_of(require=NEEDED)
    kept_here = archive_of(settings)
    if (queue is None) == (not uuid):
        raise ArgumentError("say either a queue, with --since, --until, --where, or --uuid")
    places: list[Place] = []
    if queue is None:
        for each in uuid or ():
            places += kept_here.places_of(_named(each), settings.xqueues)
    else:
        meant = meant_by(settings, queue, since, until, where)

        async def uuids() -> list[str]:
            return [kept.submission.uuid async for kept in selected(kept_here, meant)]

        all_places = kept_here.places(queue)
        places = [place for each in asyncio.run(uuids()) for place in all_places.get(each, ())]
        warn_of_unreadable(kept_here)
    submissions = {place.submission for place in places}
    if not yes:
        what = f"{numbered(len(submissions), 'submission')} in {numbered(len(places), 'object')}"
        if as_json:
            print(json.dumps({"would_forget": len(submissions), "objects": len(places)}))
        else:
            print(f"would forget {what}")
        if not submissions or not agreed(f"Forget {what}?", as_json=as_json):
            return
    kept_here.forget(places)
    regraded = kept_here.forget_regrades(submissions)
    if as_json:
        print(json.dumps({"forgotten": len(submissions), "objects": len(places) + regraded}))
    else:
        print(f"forgot {numbered(len(submissions), 'submission')}")
    if waiting := sum(_waiting(settings).values()):
        typer.echo(f"{waiting} messages wait to be archived, and may be of the same: run it again after that", err=True)


def _named(uuid: str) -> str:
    plain = uuid.strip().lower().replace("-", "")
    if not is_uuid(plain):
        raise ArgumentError(f"{uuid!r} is no submission's uuid: 32 hex digits, as `trace` shows them")
    return plain


def _waiting(settings: Settings) -> dict[str, int]:
    queues = (ARCHIVED_SUBMISSIONS, ARCHIVED_RESULTS)
    ready = count_ready(settings.amqp_url.get_secret_value(), (), if_there=queues)
    return {queue: ready[queue] for queue in queues if queue in ready}
