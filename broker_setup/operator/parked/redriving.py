"""Looks at what is parked, sends it on its way again, or discards it.

Of each message the copy is confirmed before its student's notice is dropped, and that before the delivery is acked:
killed anywhere, nothing is lost, what was under way may be there twice, and doing it again finishes it.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from time import time

from broker_setup.errors import BadReturnAddressError, UnknownSecretError
from broker_setup.ledger.events import Act, Acted, AnyEvent, Discarded, Redriven, Retired, hash_url
from broker_setup.operator.parked.pending_notices import PendingNotices, pending_notices
from broker_setup.operator.parked.redrive_plan import (
    Fate,
    StudentStanding,
    fate_of,
    is_too_large,
    redriven_copy,
    student_of,
)
from broker_setup.operator.parked.selection import Selection, Tally
from broker_setup.operator.parked.walk import Met, Walk
from broker_setup.operator.portions import RateLimit
from broker_setup.operator.session import Session
from broker_setup.settings import Settings
from broker_setup.topology import CHECKED_EXCHANGE, CHECKED_QUEUE, SUBMISSIONS_EXCHANGE
from broker_setup.wire.answering import is_ours
from broker_setup.wire.parked import Kind
from broker_setup.wire.properties import RETURN_HEADER
from broker_setup.wire.return_address import Sealer

# Looking costs the broker little.
LOOK_RATE = 1_000_000


class ParkedMessages:
    """One run of a command over what is parked of `kinds`; what is done so far stands in `tally`."""

    def __init__(
        self,
        settings: Settings,
        kinds: Sequence[Kind],
        selection: Selection,
        *,
        limit: int | None = None,
        although_told: bool = True,
        progress: Callable[[Tally], None],
    ) -> None:
        """Build it; settings without a SECRET_KEY will do. `progress` is called every so often.

        Unless it is done `although_told`, what has a student who was told stays.
        """
        self._kinds = kinds
        self._queues = frozenset(settings.xqueues)
        self._session = Session(settings, "xqueue-broker parked")
        self._sealer = Sealer(settings.secrets) if settings.secrets else None
        self._gone: set[tuple[bytes, int]] = set()  # submissions, each with the number of its redrive
        self.tally = Tally()
        self._although_told = although_told
        self._walk = Walk(
            self._session.source,
            selection,
            limit,
            self.tally,
            progress,
            although_told=although_told,
            is_ours=partial(is_ours, graders=settings.amqp_graders, services=settings.services),
        )

    async def look(self, see: Callable[[Met], None]) -> None:
        """Show each to `see`, and leave everything as it was."""

        async def only_look(portion: Sequence[Met]) -> Sequence[Met]:
            for each in portion:
                see(each)
            return ()

        async with self._session.open(read_ledger=False):
            for kind in self._kinds:
                await self._walk.through(kind, only_look, RateLimit(LOOK_RATE))

    async def redrive(self, rate: int, *, by: str) -> None:
        """Send them on their way again, `rate` a second at the most; the ledger hears `by` whom."""
        limit = RateLimit(rate)
        async with (
            self._session.open(read_ledger=Kind.SUBMISSION in self._kinds),
            pending_notices(self._session.source) as notices,
        ):
            for kind in self._kinds:
                redrive = self._redrive_results if kind is Kind.RESULT else self._redrive_submissions
                await self._walk.through(kind, partial(redrive, notices, by), limit)

    async def discard(self, because: str, rate: int, *, by: str) -> None:
        """Take them out for good, and write down why and `by` whom."""

        async def discard(notices: PendingNotices, portion: Sequence[Met]) -> Sequence[Met]:
            await notices.take_in(_queues_of(portion))
            events = [event for each in portion if (event := self._discarded(each, because, by))]
            if events:
                await self._session.ledger.store(*events)
            await notices.drop(each.parked for each in portion)
            self.tally.done += len(portion)
            return portion

        limit = RateLimit(rate)
        async with self._session.open(read_ledger=False), pending_notices(self._session.source) as notices:
            for kind in self._kinds:
                await self._walk.through(kind, partial(discard, notices), limit)

    async def _redrive_results(self, notices: PendingNotices, by: str, portion: Sequence[Met]) -> Sequence[Met]:
        told = await self._hold_back(notices, portion)
        going = [each for each in portion if each in told and not is_too_large(each.parked)]
        self.tally.stuck += len(told) - len(going)
        acts = [Acted(time(), uuid, Act.RESULT_REDRIVEN, by) for each in going if (uuid := each.parked.uuid)]
        if acts:
            await self._session.ledger.store(*acts)
        await asyncio.gather(*(self._publish(each, CHECKED_EXCHANGE, CHECKED_QUEUE, told[each]) for each in going))
        await notices.drop(each.parked for each in going)
        self.tally.done += len(going)
        return going

    async def _redrive_submissions(self, notices: PendingNotices, by: str, portion: Sequence[Met]) -> Sequence[Met]:
        told = await self._hold_back(notices, portion)
        # Whatever became of earlier copies is known after this.
        await self._session.ledger.barrier()
        fates = [(each, self._fate_of(each)) for each in portion if each in told]
        going = [each for each, fate in fates if fate is Fate.GOES]
        if going:
            # Before the copies: a gateway takes a copy of what the ledger calls parked for debris.
            await self._session.ledger.store(*(self._redriven(each, by) for each in going))
            await asyncio.gather(
                *(self._publish(each, SUBMISSIONS_EXCHANGE, each.parked.queue, told[each]) for each in going)
            )
        leaving = [each for each, fate in fates if fate is not Fate.STUCK]
        await notices.drop(each.parked for each in leaving)
        self.tally.done += len(going)
        self.tally.stuck += sum(fate is Fate.STUCK for _, fate in fates)
        self.tally.cleared += sum(fate is Fate.DEBRIS for _, fate in fates)
        return leaving

    async def _hold_back(self, notices: PendingNotices, portion: Sequence[Met]) -> dict[Met, bool]:
        """Hold the students' notices; say of each message that may go whether its student was told."""
        await notices.take_in(_queues_of(portion))
        now, may_go = datetime.now(UTC), {}
        for each in portion:
            parked = each.parked
            student = student_of(parked, now, is_held=bool(notices.of(parked)), all_came=not notices.missed)
            if student is StudentStanding.UNKNOWN:
                self.tally.missed += 1
            elif student is StudentStanding.UNTOLD or self._although_told:
                may_go[each] = student is StudentStanding.TOLD
            else:
                self.tally.told += 1  # since it was selected
        return may_go

    def _fate_of(self, each: Met) -> Fate:
        fate = fate_of(each.parked, self._queues, self._session.ledger.state, time())
        if fate is Fate.GOES and each.parked.uuid:
            copy = each.parked.uuid, each.parked.redriven
            if copy in self._gone:
                return Fate.DEBRIS  # a second one, of a parking that was done twice
            self._gone.add(copy)
        return fate

    async def _publish(self, each: Met, exchange: str, routing_key: str, told: bool) -> None:  # noqa: FBT001
        copy = redriven_copy(each.message, each.parked, told=told)
        await self._session.publisher.publish_copy(copy, exchange=exchange, routing_key=routing_key)

    def _redriven(self, each: Met, by: str) -> Redriven:
        parked = each.parked
        return Redriven(time(), parked.uuid or b"", parked.queue, self._url_of(each), parked.redriven + 1, by)

    def _discarded(self, each: Met, because: str, by: str) -> AnyEvent | None:
        parked = each.parked
        if parked.uuid is None:
            return None  # a stranger's: there is no history that it would belong to
        if parked.kind is Kind.RESULT:
            return Discarded(time(), parked.uuid, because, by)
        return Retired(time(), parked.uuid, parked.queue, self._url_of(each), because, by)

    def _url_of(self, each: Met) -> bytes:
        sealed = each.message.headers.get(RETURN_HEADER)
        if self._sealer is None or not isinstance(sealed, str):
            return b""
        try:
            return hash_url(self._sealer.open(sealed, each.parked.correlation_id).callback_url)
        except (BadReturnAddressError, UnknownSecretError):
            return b""


def _queues_of(portion: Iterable[Met]) -> set[str]:
    """Name the queues where notices of these still wait."""
    now = datetime.now(UTC)
    return {each.parked.notice_queue for each in portion if not each.parked.is_told(now)} - {""}
