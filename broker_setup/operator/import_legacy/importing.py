"""Imports rows, portion by portion: each is stored in the broker first, and then noted in the ledger as submitted.

That note says that a row is done: whoever is killed before it does the portion once more, and what may then stand in a
queue twice is one submission to the ledger, which is graded once.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from time import time
from typing import TYPE_CHECKING, Any

from broker_setup.errors import MessageTooLargeError
from broker_setup.ledger.events import (
    AnyEvent,
    Delivered,
    Leased,
    Retired,
    Submitted,
    hash_key,
    hash_sender,
    hash_url,
)
from broker_setup.operator.import_legacy.fates import Decided, Fate, decide, names_in, uuid_of
from broker_setup.operator.import_legacy.media import Media
from broker_setup.operator.import_legacy.report import Report
from broker_setup.operator.import_legacy.row import Row
from broker_setup.operator.portions import to_its_end
from broker_setup.operator.session import Session
from broker_setup.settings import Settings
from broker_setup.topology import CHECKED_EXCHANGE, CHECKED_QUEUE, SUBMISSIONS_EXCHANGE
from broker_setup.wire.results import Result, encode_result
from broker_setup.wire.return_address import ReturnAddress, Sealer
from broker_setup.wire.sealed_urls import UrlSeals
from broker_setup.wire.submissions import Submission, encode_submission

if TYPE_CHECKING:
    from broker_setup.operator.import_legacy.table import LegacyTable

PORTION = 100
REASON = "retired before it was imported"


class Import:
    """One run of the command with --yes."""

    def __init__(
        self,
        settings: Settings,
        table: "LegacyTable",
        *,
        known: set[bytes],
        media: Media | None,
        history: bool,
        by: str,
        progress: Callable[[Report], None],
    ) -> None:
        """`known` are the uuids that the ledger tells of as submitted; with `history` it hears of ended ones, too."""
        self._settings = settings
        self._table = table
        self._known = known
        self._media = media
        self._history = history
        self._by = by
        self._progress = progress
        self._session = Session(settings, "xqueue-broker import-legacy")
        self._sealer = Sealer(settings.secrets, settings.seal)
        self._url_seals = UrlSeals(settings.secrets)

    async def run(self, report: Report) -> Report:
        """Import all that is not done; what is done so far stands in `report`, should this be interrupted."""
        portions = self._table.portions(PORTION, with_retired=self._history)
        async with self._session.open():
            while rows := await asyncio.to_thread(next, portions, ()):
                await to_its_end(self._import(rows, report))
                self._progress(report)
        return report

    async def _import(self, rows: Sequence[Row], report: Report) -> None:
        now = datetime.now(UTC)
        events: list[AnyEvent] = []
        publishing = []
        for row in rows:
            if bytes.fromhex(uuid_of(row)) in self._known:
                report.done[row.queue] += 1
                continue
            decided = decide(row, now, self._settings.xqueues, self._settings.processing_delay_of)
            try:
                if decided.fate in {Fate.WAITS, Fate.LEASED}:
                    publishing.append(await self._begin_submission(row, decided, report))
                elif decided.fate is Fate.REPLIED:
                    publishing.append(self._begin_result(row))
            except MessageTooLargeError as error:
                report.refuse(row.id, row.queue, str(error))
                continue
            if decided.fate is Fate.REFUSED:
                report.refuse(row.id, row.queue, decided.why)
                continue
            report.counts[row.queue, decided.fate] += 1
            if decided.fate is not Fate.ENDED or self._history:
                events += self._events(row, decided)
        await asyncio.gather(*publishing)
        if events:
            await self._session.ledger.store(*events)

    async def _begin_submission(self, row: Row, decided: Decided, report: Report) -> Coroutine[Any, Any, None]:
        """Lease what is leased, so that no poll gets it in between; return what stores it in its queue."""
        uuid, files = uuid_of(row), dict(names_in(row.file_urls))
        if self._media and (keys := names_in(row.file_keys)):
            moved = await self._media.moved(uuid, keys, files)
            files = dict(moved.links)
            report.files += len(keys) - len(moved.missing)
            if moved.missing:
                report.missing[row.id] = list(moved.missing)
        sealed = self._sealed(row)
        message = encode_submission(Submission(uuid, row.queue, row.body, sealed, files, submitted_at=row.arrived_at))
        if decided.until:
            # Void where an earlier run wrote it: then it stands there already.
            await self._session.ledger.record(
                Leased(
                    time(),
                    bytes.fromhex(uuid),
                    row.queue,
                    hash_url(decided.callback_url),
                    hash_key(row.pull_key),
                    decided.until.timestamp(),
                    sealed,
                    attempt=1,
                    after=b"",
                )
            )
        return self._session.publisher.publish_copy(message, exchange=SUBMISSIONS_EXCHANGE, routing_key=row.queue)

    def _begin_result(self, row: Row) -> Coroutine[Any, Any, None]:
        """Return what stores a result for the relay, which writes to the ledger that it was delivered."""
        graded_at = row.returned_at or datetime.now(UTC)
        message = encode_result(
            Result(uuid_of(row), row.reply.encode(errors="surrogatepass"), self._sealed(row), graded_at=graded_at)
        )
        return self._session.publisher.publish_copy(message, exchange=CHECKED_EXCHANGE, routing_key=CHECKED_QUEUE)

    def _sealed(self, row: Row) -> str:
        return self._sealer.seal(ReturnAddress(uuid_of(row), row.header))

    def _events(self, row: Row, decided: Decided) -> list[AnyEvent]:
        """Return what the ledger hears once a row is stored."""
        uuid, url = bytes.fromhex(uuid_of(row)), hash_url(decided.callback_url)
        sender = hash_sender(row.account, url) if row.account else b""
        sealed_url = self._url_seals.seal(decided.callback_url, uuid)
        at = row.arrived_at.timestamp()
        # By default it takes nobody's place: the original had each of them graded.
        events: list[AnyEvent] = [Submitted(at, uuid, row.queue, url=url, sender=sender, sealed_url=sealed_url)]
        if decided.fate is Fate.ENDED:
            ended_at = row.returned_at.timestamp() if row.returned_at else at
            if row.is_acknowledged:
                events.append(Delivered(ended_at, uuid, attempts=1))
            else:
                events.append(Retired(ended_at, uuid, row.queue, url, REASON, self._by))
        return events
