"""Ends deliveries, each as its verdict says: acked, put on a rung, parked, or given back."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import time

from msgspec.structs import replace

from broker_setup.amqp.messages import Arrival, Message
from broker_setup.errors import BadMessageError, MessageTooLargeError, MistakeError
from broker_setup.ledger.events import Discarded, Undeliverable
from broker_setup.ledger.notes import Notes
from broker_setup.ledger.writer import STORE_SECONDS
from broker_setup.link.ending import Ending
from broker_setup.link.publisher import Publisher
from broker_setup.link.settling import despite_mistakes, end, end_message, pause
from broker_setup.topology import (
    PARKED_EXCHANGE,
    REGRADED_EXCHANGE,
    REGRADED_QUEUE,
    RESULTS_PARKED,
    RETRY_EXCHANGE,
    retry_queue,
)
from broker_setup.wire.notices import Telling
from broker_setup.wire.parked import parked_copy
from broker_setup.wire.properties import BOOKKEEPING_HEADERS, MAX_MESSAGE_BYTES, is_uuid
from broker_setup.wire.results import Result, Tries, decode_result, encode_result
from broker_setup.wire.waits import waits_headers
from callback_relay.bodies import Bodies
from callback_relay.endings import tell
from callback_relay.metrics import Metrics
from callback_relay.reason import Reason, Slug
from callback_relay.student_notices import StudentNotices
from callback_relay.verdict import Delivered, GiveBack, HandOver, Outdated, Park, Repeat, Retry, Verdict

log = logging.getLogger(__name__)

# To which a copy goes for a queue; rungs have one exchange.
_EXCHANGES = {RESULTS_PARKED: PARKED_EXCHANGE, REGRADED_QUEUE: REGRADED_EXCHANGE}
# Of a reason, in the log and in the ledger.
MAX_REASON = 500


@dataclass(frozen=True)
class About:
    """What is known of a delivery, for the log and for operators: the LMS as scheme://host:port, the course queue."""

    origin: str = ""
    queue: str = ""


class Settling:
    """Settles deliveries; `settle` is called once for each."""

    def __init__(
        self,
        publisher: Publisher,
        notes: Notes,
        metrics: Metrics,
        notices: StudentNotices,
        is_ours: Callable[[str | None], bool],
    ) -> None:
        """`is_ours` says of a message's user whether what stands in its bookkeeping headers counts."""
        self._publisher = publisher
        self._notes = notes
        self._metrics = metrics
        self._notices = notices
        self._is_ours = is_ours
        self._unread = Bodies()

    def takes_unread(self, message: Arrival) -> bool:
        """Whether there is room for what came unread; else it is dropped here, and comes again when there is."""
        taken = not _is_void(message) and self._unread.takes(message)
        self.make_use_of_room()
        return taken

    def make_use_of_room(self) -> None:
        """Let one of those come again that found no room, if there is room now."""
        if hold := self._unread.next():
            end(hold, Ending.RETURNED)

    def lost(self) -> None:
        """Forget what is held here: its channel is gone."""
        self._unread.lost()

    async def settle(
        self,
        message: Arrival,
        verdict: Verdict,
        about: About,
        *,
        level: int = logging.INFO,
        graded: asyncio.Future[None] | None = None,
    ) -> Verdict | None:
        """End the delivery as `verdict` says: the one place of the relay that acks and nacks; return what held, if any.

        A copy is confirmed before the delivery is acked: killed in between, there are two of a result, never none. So
        is its `graded`, which has been under way for as long as the callback was: nobody else could write it. A ledger
        that can't be written holds up no result for longer than that takes to show.
        """
        try:
            if graded is not None:
                await asyncio.wait({graded}, timeout=STORE_SECONDS)
            if _is_void(message):
                log.debug("submission %s: its delivery is void and comes again", message.correlation_id)
                return None
            how = Ending.ACKED
            if not isinstance(verdict, Delivered | Repeat):
                verdict, how = await self._store(message, verdict, about)
            self._metrics.settled(about.origin, verdict)
            tell(message, verdict, about.origin or "-", about.queue, level)
            if how is Ending.RETURNED:
                await pause()
            end_message(message, how)
            return verdict
        finally:
            self._ended(message)

    def turn_away(self, message: Arrival, verdict: Park) -> None:
        """Park what nobody need read, by the thousand: the broker moves it."""
        self._metrics.settled("", verdict)
        if not _is_void(message):
            end_message(message, Ending.REJECTED)
        self._ended(message)

    def _ended(self, message: Arrival) -> None:
        self._unread.ended(message)
        self.make_use_of_room()

    async def _store(self, message: Arrival, verdict: Verdict, about: About) -> tuple[Verdict, Ending]:
        """Store what a verdict wants stored; return what holds then, and how the delivery ends."""
        try:
            if not isinstance(verdict, Park) or len(message.body) <= MAX_MESSAGE_BYTES:
                store = partial(self._store_copy, message, verdict, about)
                await despite_mistakes(store, whose=f"submission {message.correlation_id}")
                return verdict, Ending.RETURNED if isinstance(verdict, GiveBack) else Ending.ACKED
        except (MessageTooLargeError, MistakeError) as error:
            # The broker takes less than when this came, or it would come again without end.
            slug = Slug.MISTAKE if isinstance(error, MistakeError) else Slug.UNREADABLE
            verdict = Park(Reason(slug, f"no copy can be stored: {error}"))
        except Exception as error:  # noqa: BLE001 - the broker, or this machine, lacks something: not acked, so not lost
            return GiveBack(f"no copy could be stored: {error}"), Ending.RETURNED
        # Not copied: the dead letters of its queue are the parked ones, so that the broker moves it.
        self._note_parked(message, verdict.reason.text, None, is_notice=False)
        return verdict, Ending.REJECTED

    async def _store_copy(self, message: Arrival, verdict: Verdict, about: About) -> None:
        match verdict:
            case Retry(delay, tries, reason):
                copy = self._again(message, tries) if verdict.opened else self._unopened(message, tries)
                copy.headers |= waits_headers(about.origin, about.queue, reason.text, time() + delay)
                await self._put(copy, retry_queue(delay), message)
            case Park(reason, tries, tell):
                result = self._read_if_any(message)
                telling = await self._notices.send(result, tell, about.queue) if result else None
                last = self._again(message, tries) if tries else message
                # A redrive would make ours what a grader wrote there.
                without = () if tries or self._is_ours(message.user_id) else BOOKKEEPING_HEADERS
                copy = parked_copy(
                    last, reason.text, queue=about.queue, origin=about.origin, telling=telling, without=without
                )
                await self._put(copy, RESULTS_PARKED, message)
                self._note_parked(message, reason.text, telling, is_notice=result is not None and result.notice)
            case HandOver(run):
                await self._put(encode_result(self._read(message)), REGRADED_QUEUE, message)
                self._note_given_up(message, f"a copy: no LMS gets its result, regrade {run} does")
            case Outdated(reason):
                self._note_given_up(message, reason.text)

    def _read(self, message: Arrival) -> Result:
        return decode_result(message, ours=self._is_ours(message.user_id))

    def _read_if_any(self, message: Arrival) -> Result | None:
        try:
            return self._read(message)
        except BadMessageError:
            return None

    def _again(self, message: Arrival, tries: Tries) -> Message:
        """Make the message of a result that has been tried as `tries` says; the ledger has heard of it by now."""
        return encode_result(replace(self._read(message), tries=tries, recorded=True))

    def _unopened(self, message: Arrival, tries: Tries) -> Message:
        """Make that of one whose return address could not be opened: what it says of itself is still to be judged."""
        result = self._read(message)
        return encode_result(replace(result, tries=tries, sender=result.sender or message.user_id))

    def _note_parked(self, message: Arrival, reason: str, telling: Telling | None, *, is_notice: bool) -> None:
        # Whatever is not a result of ours may name anything.
        if is_uuid(message.correlation_id):
            submission, tell_at = bytes.fromhex(message.correlation_id), telling.at if telling else 0.0
            self._notes.note(Undeliverable(time(), submission, reason[:MAX_REASON], is_notice, tell_at))

    def _note_given_up(self, message: Arrival, reason: str) -> None:
        if is_uuid(message.correlation_id):
            self._notes.note(Discarded(time(), bytes.fromhex(message.correlation_id), reason[:MAX_REASON]))

    async def _put(self, copy: Message, queue: str, message: Arrival) -> None:
        exchange = _EXCHANGES.get(queue, RETRY_EXCHANGE)
        await self._publisher.publish_copy(
            copy, exchange=exchange, routing_key=queue, held=lambda: not _is_void(message)
        )


def _is_void(message: Arrival) -> bool:
    """Tell whether the channel that brought it is gone, so that the broker delivers it again."""
    return message.channel.is_closed
