"""`import-legacy`: takes over what an original XQueue has, after a look at what that would be."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from broker_setup.errors import ArgumentError, StorageError
from broker_setup.ledger.events import Acted, Expired, Extended, Leased, Released
from broker_setup.ledger.frames import Frame
from broker_setup.link.blocking import count_ready
from broker_setup.operator.by import By, who_acts
from broker_setup.operator.carrying_out import agreed, carry_out
from broker_setup.operator.console import AsJson, add_row, progress, settings_of, show_table, warn_of_no_queue
from broker_setup.operator.import_legacy.errors import LegacyDatabaseError
from broker_setup.operator.import_legacy.fates import Fate, decide, uuid_of
from broker_setup.operator.import_legacy.importing import Import
from broker_setup.operator.import_legacy.media import Media, left_where_they_are
from broker_setup.operator.import_legacy.report import Report
from broker_setup.operator.read_ledger import read_ledger
from broker_setup.settings import Settings
from broker_setup.topology import CHECKED_QUEUE, LEDGER, submissions_queue
from broker_setup.upload_store import open_upload_store
from broker_setup.visible import numbered
from broker_setup.wire.file_links import FileLinks
from broker_setup.wire.properties import submission_id_of

if TYPE_CHECKING:
    from broker_setup.operator.import_legacy.table import LegacyTable

SHOWN = 20
# Events that a submission may have which is in no queue.
WITHOUT_A_QUEUE = (Leased, Extended, Released, Expired, Acted)
LOOKED_AT_ONCE = 1000


def import_legacy(
    database: Annotated[
        str | None,
        typer.Argument(
            envvar="LEGACY_DATABASE",
            help="The original's: mysql://user:password@host/name, postgresql://..., sqlite:///file.",
            show_default=False,
        ),
    ] = None,
    *,
    media: Annotated[
        str | None, typer.Option(help="Where its files are: MEDIA_ROOT, or s3://bucket.", show_default=False)
    ] = None,
    account: Annotated[
        str | None,
        typer.Option(
            help="The LMS's, of USERS: what it submits anew takes the place of its older work that still waits.",
            show_default=False,
        ),
    ] = None,
    history: Annotated[bool, typer.Option("--history", help="Tell the ledger of what has ended, too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, say what would be done.")] = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Take over the submissions and results of an original XQueue from its SQL table, which is only read.

    What waits goes to its queue, oldest first; what a grader has stays its grader's, under the key that it has; results
    that the LMS has not taken go to the relay. Interrupted, nothing is lost, and nothing done twice: run it again.
    """
    if database is None:
        raise ArgumentError("which database? Give DATABASE, or LEGACY_DATABASE in the environment: mysql://..., say")
    settings = settings_of(require=("SECRET_KEY",))
    warn_of_no_queue(settings)
    # Where an operator's settings have no accounts, those of the gateways are not known.
    if account is not None and settings.users and account not in settings.users:
        raise ArgumentError(f"--account {account!r} is none of USERS; there are: {', '.join(sorted(settings.users))}")
    url = settings.amqp_url.get_secret_value()
    # Whatever is missing is said before anything is begun.
    count_ready(url, [LEDGER, CHECKED_QUEUE, *map(submissions_queue, settings.xqueues)])
    with _opened(database) as table:
        files = _media(media, settings)
        known = _known(url, table.last_id)
        if not yes:
            found = _look(table, settings, known, files, history=history)
            _tell(found, act=False, has_media=files is not None, as_json=as_json)
            to_do = f"Import {numbered(found.live, 'submission')}{' and the history' * history}?"
            if not (found.live or history) or not agreed(to_do, as_json=as_json):
                return
            known = _known(url, table.last_id)  # whoever was asked may have taken an hour, and another run its time
        work = partial(
            Import, settings, table, known=known, media=files, history=history, by=who_acts(by), account=account
        )
        _tell(
            _run(work, table.count(with_retired=history), table.last_id),
            act=True,
            has_media=files is not None,
            as_json=as_json,
        )


def _opened(database: str) -> "LegacyTable":
    try:
        from broker_setup.operator.import_legacy.table import LegacyTable  # noqa: PLC0415 - of an extra
    except ModuleNotFoundError as error:
        raise ArgumentError(
            f"{error.name} is not installed, which reads databases: pip install 'xqueue-rabbitmq[legacy]', "
            "or in a checkout .venv/bin/pip install sqlalchemy pymysql 'psycopg[binary]'"
        ) from None
    return LegacyTable(database)


def _media(where: str | None, settings: Settings) -> Media | None:
    if where is None:
        return None
    if not settings.public_url:
        raise ArgumentError("PUBLIC_URL is not set, and links to files begin with it")
    links = FileLinks(settings.secrets, seconds=settings.upload_url_expire)
    return Media(where, open_upload_store(settings), links, settings.public_url)


def _known(url: str, last_id: int) -> set[bytes]:
    """Return the uuids of which the ledger tells that they are in the broker, or were: of the table's by their ids.

    What was stored by a run that was killed may have no `submitted`, and have been graded since. Leases, and what
    graders do with them, tell nothing: they are written before.
    """
    known: set[bytes] = set()

    def take(frame: Frame) -> None:
        known.update(
            event.submission
            for event in frame.events
            if not isinstance(event, WITHOUT_A_QUEUE) and submission_id_of(event.submission) <= last_id
        )

    read_ledger(url, take)
    return known


def _look(table: "LegacyTable", settings: Settings, known: set[bytes], media: Media | None, *, history: bool) -> Report:
    """Say what an import would do."""
    found, now = Report(last_id=table.last_id), datetime.now(UTC)
    with progress() as display, asyncio.Runner() as runner:
        task = display.add_task("looking", total=table.count(with_retired=history))
        for rows in table.portions(LOOKED_AT_ONCE, with_retired=history, with_work=False):
            for row in rows:
                if bytes.fromhex(uuid_of(row)) in known:
                    found.done[row.queue] += 1
                    continue
                decided = decide(row, now, settings.xqueues, settings.processing_delay_of)
                if decided.fate is Fate.REFUSED:
                    found.refuse(row.id, row.queue, decided.why)
                    continue
                found.counts[row.queue, decided.fate] += 1
                if decided.fate in {Fate.WAITS, Fate.LEASED}:
                    missing = runner.run(media.missing(row)) if media else left_where_they_are(row).missing
                    found.missing |= {row.id: list(missing)} if missing else {}
            display.update(task, completed=found.rows)
    return found


def _run(work: Callable[..., Import], rows: int, last_id: int) -> Report:
    report = Report(last_id=last_id)

    def so_far() -> str:
        return f"{numbered(report.rows, 'row')} looked at so far; run it again for the rest"

    with progress() as display:
        task = display.add_task("importing", total=rows)
        importing = work(progress=lambda report: display.update(task, completed=report.rows))
        try:
            return carry_out(importing.run(report), so_far)
        except (StorageError, LegacyDatabaseError) as error:
            raise type(error)(f"{error}; {so_far()}") from error


def _tell(report: Report, *, act: bool, has_media: bool, as_json: bool) -> None:
    if as_json:
        print(json.dumps(report.as_dict(act=act)))
        return
    table = Table("queue", *map(str, Fate), "done before")
    for queue in report.queues:
        add_row(table, queue, *(str(report.counts[queue, fate]) for fate in Fate), str(report.done[queue]))
    show_table(table)
    for row_id, why in list(report.refused.items())[:SHOWN]:
        print(f"row {row_id} is left out: {why}")
    for row_id, names in list(report.missing.items())[:SHOWN]:
        why = "not found under --media" if has_media else "a link without a host, which only --media can mend"
        print(f"row {row_id}: {why}: {', '.join(names)}")
    if more := max(0, len(report.refused) - SHOWN) + max(0, len(report.missing) - SHOWN):
        print(f"... and {more} more; --json has all")
    if act:
        print(f"imported {numbered(report.live, 'submission')}, copied {numbered(report.files, 'file')}")
        print(f"of rows up to id {report.last_id}")
