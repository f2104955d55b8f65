"""Imports rows, portion by portion: each is stored in the broker first, and then noted in the ledger as submitted.

That note says that a row is done: whoever is killed before it does the portion once more, and what may then stand in a
queue twice is one submission to the ledger, which is graded once.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from time import time
from typing import TYPE_CHECKING

from broker_setup.amqp.messages import Message
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
from broker_setup.operator.import_legacy.fates import Decided, Fate, decide, uuid_of
from broker_setup.operator.import_legacy.media import Media, left_where_they_are
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

# Each may be 30 MB, of work and of a reply.
PORTION = 25
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
        account: str | None,
        progress: Callable[[Report], None],
    ) -> None:
        """`known` are the uuids that the ledger tells of as done; with `history` it hears of ended ones, too.

        `account` is whose new submissions take the place of what is imported and waits.
        """
        self._settings = settings
        self._table = table
        self._known = known
        self._media = media
        self._history = history
        self._by = by
        self._account = account
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
        prepared: list[_Prepared] = []
        for row in rows:
            if bytes.fromhex(uuid_of(row)) in self._known:
                report.done[row.queue] += 1
                continue
            decided = decide(row, now, self._settings.xqueues, self._settings.processing_delay_of)
            if decided.fate is Fate.REFUSED:
                report.refuse(row.id, row.queue, decided.why)
                continue
            try:
                prepared.append(await self._prepare(row, decided, report))
            except (MessageTooLargeError, ValueError, TypeError) as error:  # half a character, say
                report.refuse(row.id, row.queue, str(error))
        await self._store(prepared, report)

    async def _store(self, prepared: Sequence["_Prepared"], report: Report) -> None:
        # Leased first, so that no poll gets it in between. Void where an earlier run wrote it: then it stands there.
        await asyncio.gather(*(self._session.ledger.record(each.lease) for each in prepared if each.lease))
        outcomes = await asyncio.gather(*map(self._publish, prepared), return_exceptions=True)
        events: list[AnyEvent] = []
        for each, outcome in zip(prepared, outcomes, strict=True):
            if isinstance(outcome, MessageTooLargeError):
                report.refuse(each.row.id, each.row.queue, str(outcome))
            elif outcome is None:
                report.counts[each.row.queue, each.decided.fate] += 1
                events += each.events
        # Of what is stored, whatever became of the rest: another run would store it once more.
        if events:
            await self._session.ledger.store(*events)
        for outcome in outcomes:
            if outcome is not None and not isinstance(outcome, MessageTooLargeError):
                raise outcome

    async def _publish(self, prepared: "_Prepared") -> None:
        if prepared.message:
            exchange, routing_key = prepared.way
            await self._session.publisher.publish_copy(prepared.message, exchange=exchange, routing_key=routing_key)

    async def _prepare(self, row: Row, decided: Decided, report: Report) -> "_Prepared":
        events = self._events(row, decided) if decided.fate is not Fate.ENDED or self._history else []
        if decided.fate is Fate.ENDED:
            return _Prepared(row, decided, events)
        uuid = uuid_of(row)
        sealed = self._sealer.seal(ReturnAddress(uuid, row.header, row.arrived_at.timestamp()))
        if decided.fate is Fate.REPLIED:
            reply, graded_at = row.reply.encode(errors="surrogatepass"), row.returned_at or datetime.now(UTC)
            # Not recorded: the relay writes to the ledger that it has ended.
            message = encode_result(Result(uuid, reply, sealed, graded_at=graded_at))
            return _Prepared(row, decided, events, message, (CHECKED_EXCHANGE, CHECKED_QUEUE))
        moved = await self._media.moved(uuid, row) if self._media else left_where_they_are(row)
        report.files += moved.copied
        if moved.missing:
            report.missing[row.id] = list(moved.missing)
        message = encode_submission(
            Submission(uuid, row.queue, row.body, sealed, moved.links, submitted_at=row.arrived_at)
        )
        lease = _lease(row, decided.callback_url, decided.until, sealed) if decided.until else None
        return _Prepared(row, decided, events, message, (SUBMISSIONS_EXCHANGE, row.queue), lease)

    def _events(self, row: Row, decided: Decided) -> list[AnyEvent]:
        """Return what the ledger hears once a row is stored."""
        uuid, url = bytes.fromhex(uuid_of(row)), hash_url(decided.callback_url)
        sender = hash_sender(self._account, url) if self._account else b""
        sealed_url = self._url_seals.seal(decided.callback_url, uuid)
        at, has_ended = row.arrived_at.timestamp(), decided.fate is Fate.ENDED
        # It takes nobody's place, as that is for what is submitted now; one that has ended leaves its own to nobody.
        after = None if has_ended else inf
        events: list[AnyEvent] = [
            Submitted(at, uuid, row.queue, supersede_after=after, url=url, sender=sender, sealed_url=sealed_url)
        ]
        if has_ended:
            ended_at = row.returned_at.timestamp() if row.returned_at else at
            if row.is_acknowledged:
                events.append(Delivered(ended_at, uuid, attempts=1))
            else:
                events.append(Retired(ended_at, uuid, row.queue, url, REASON, self._by))
        return events


@dataclass(frozen=True)
class _Prepared:
    """A row, ready to be stored, and what the ledger hears then."""

    row: Row
    decided: Decided
    events: Sequence[AnyEvent]
    message: Message | None = None
    way: tuple[str, str] = ("", "")
    lease: Leased | None = None


def _lease(row: Row, callback_url: str, until: datetime, sealed: str) -> Leased:
    """Make the lease of the grader that took a row last: no attempt of ours, so the first one here is the first."""
    uuid, url, key = bytes.fromhex(uuid_of(row)), hash_url(callback_url), hash_key(row.pull_key)
    return Leased(time(), uuid, row.queue, url, key, until.timestamp(), sealed, attempt=0, after=b"")
