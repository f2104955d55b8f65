"""What comes in from the broker: read, looked at whether it may be delivered, and given its place in the schedule."""

import logging
from functools import partial
from hashlib import blake2b
from time import monotonic, time

from broker_setup.amqp.messages import Arrival
from broker_setup.errors import BadMessageError, BadReturnAddressError, UnknownSecretError
from broker_setup.ledger.events import KEY_HASH_BYTES, Graded, hash_url
from broker_setup.ledger.notes import Notes
from broker_setup.process.shortages import shortage
from broker_setup.settings import Settings
from broker_setup.wire.answering import is_ours, may_answer
from broker_setup.wire.properties import MAX_MESSAGE_BYTES, returns_of
from broker_setup.wire.regrade_address import RegradeAddress
from broker_setup.wire.replies import FINE, Finding
from broker_setup.wire.reply_checker import ReplyChecker
from broker_setup.wire.results import NO_TRIES, Result, decode_result
from broker_setup.wire.return_address import ReturnAddress, Sealer
from callback_relay.callback import BadCallbackError
from callback_relay.copies import Copies
from callback_relay.delivery import Delivering, Delivery, mistake
from callback_relay.floods import (
    MOST_COPIES,
    MOST_UNOPENED,
    MOST_UNOPENED_BYTES,
    UNOPENED_AT_ONCE,
    UNOPENED_EACH_SECOND,
    Floods,
    OnRungs,
)
from callback_relay.job import Identity
from callback_relay.ladder import Ladder
from callback_relay.reason import Reason, Slug
from callback_relay.schedule import Schedule
from callback_relay.settling import About, Settling
from callback_relay.verdict import GiveBack, Park, Patience, Retry, Tell, judge_unopened
from callback_relay.ways import callback_by_its_way

log = logging.getLogger(__name__)

_UNUSABLE = {
    BadMessageError: Slug.UNREADABLE,
    BadReturnAddressError: Slug.RETURN_ADDRESS,
    BadCallbackError: Slug.CALLBACK_URL,
}


class Incoming:
    """Takes each message that the consumer brings."""

    def __init__(
        self,
        settings: Settings,
        checker: ReplyChecker | None,
        schedule: Schedule[Delivery],
        settling: Settling,
        delivering: Delivering,
        *,
        notes: Notes,
        ladder: Ladder,
        patience: Patience,
    ) -> None:
        """Hand what may be delivered to the `schedule`, and what that orders to `delivering`."""
        self._sealer = Sealer(settings.secrets)
        self._upstreams = settings.upstreams
        # Without an archive there is no queue for what was found of copies; they have no URL, and so are parked.
        self._copies = Copies(settling, notes) if settings.archived_queues else None
        self._may_answer = partial(may_answer, graders=settings.amqp_graders, services=settings.services)
        self._is_ours = partial(is_ours, graders=settings.amqp_graders, services=settings.services)
        self._checker = checker
        self._schedule = schedule
        self._settling = settling
        self._delivering = delivering
        self._notes = notes
        self._ladder, self._patience = ladder, patience
        self._floods, self._unopened = Floods(), Floods(UNOPENED_AT_ONCE, UNOPENED_EACH_SECOND)
        self._on_rungs = OnRungs(MOST_UNOPENED)

    def received(self, message: Arrival, *, unread: bool = False) -> None:
        """Read a message and give it its place, or settle what can not be delivered; `unread`: a grader sent it."""
        if unread and not self._settling.takes_unread(message):
            return
        try:
            self._take(message, unread=unread)
        except UnknownSecretError as error:
            self._keep_unopened(message, error)
        except (BadMessageError, BadReturnAddressError, BadCallbackError) as error:
            self._put_aside(message, Park(Reason(_UNUSABLE[type(error)], str(error)), tell=Tell.NEVER), About())
        except Exception as error:  # a mistake of ours: seen by an operator, never a loop, never a loss
            if lacks := shortage(error):
                unread_here = GiveBack(f"it could not be read here: {lacks}")
                self._delivering.start(self._settling.settle(message, unread_here, About()))
                return
            log.exception("submission %s: unexpected error", message.correlation_id)
            self._delivering.start(self._settling.settle(message, Park(mistake(error), tell=Tell.NEVER), About()))

    def _keep_unopened(self, message: Arrival, why: UnknownSecretError) -> None:
        """Have what only another secret opens wait on a rung, where so much of its sender may."""
        now, reason = monotonic(), Reason(Slug.RETURN_ADDRESS, str(why))
        # From a rung it comes back as ours, with its sender's name if it has one.
        if message.user_id is None and (nobodys := self._may_answer(None, "")):
            self._put_aside(message, Park(Reason(Slug.SENDER, nobodys), tell=Tell.NEVER), About())
            return
        result = decode_result(message, ours=self._is_ours(message.user_id))
        sender = result.sender or message.user_id
        if not self._is_ours(sender):
            if len(message.body) > MOST_UNOPENED_BYTES:
                self._put_aside(message, Park(reason, tell=Tell.NEVER), About())
                return
            is_full = self._on_rungs.is_full(sender, now)
            if self._is_turned_away(message, self._unopened, Park(reason), is_full=is_full):
                return
        verdict = judge_unopened(str(why), result.tries, self._ladder, self._patience, now=time())
        if isinstance(verdict, Retry) and not self._is_ours(sender):
            self._on_rungs.went(sender, now + verdict.delay)
        self._delivering.start(self._settling.settle(message, verdict, About(), level=logging.WARNING))

    def _put_aside(self, message: Arrival, park: Park, about: About) -> None:
        """Park what no student is told of, for no result, not its sender's, or parked before: with its reason.

        Unless there is no end of it.
        """
        if not self._is_turned_away(message, self._floods, park):
            self._delivering.start(self._settling.settle(message, park, about))

    def _is_turned_away(self, message: Arrival, floods: Floods, park: Park, *, is_full: bool = False) -> bool:
        now = monotonic()
        if self._is_ours(message.user_id) or not floods.is_one(message.user_id, now, is_full=is_full):
            return False
        self._settling.turn_away(message, park)
        if line := floods.line(message.user_id, now):
            log.error("%s", line)
        return True

    def _take(self, message: Arrival, *, unread: bool) -> None:
        result, address = self._opened(message)
        if self._copies and address.regrade:
            self._take_of_copy(message, result, address.regrade, self._copies)
            return
        delivery = self._read(message, result, address, unread=unread)
        # A reply is looked at last: that costs most, and whoever sends what is settled before can send any number.
        if why := self._may_answer(delivery.result.sender or delivery.message.user_id, delivery.queue):
            self._put_aside(message, Park(Reason(Slug.SENDER, why), tell=Tell.NEVER), delivery.about)
            return
        if self._schedule.is_delivered(delivery) and delivery.identity not in self._delivering.parked:
            self._delivering.obey(self._schedule.arrive(delivery, monotonic()))
            return
        copies, parked = self._schedule.copies(delivery), delivery.identity in self._delivering.parked
        # What comes again itself is none: a channel was lost, or it found no room here.
        others = copies - 1 if message.redelivered else copies
        if unread and (others > 0 or parked):
            # A copy of what waits is one more that goes over the rungs; of what was parked, one more to be checked.
            again = Park(Reason(Slug.REPEAT, "another copy of this result waits, or was parked"), tell=Tell.NEVER)
            if self._is_turned_away(message, self._floods, again, is_full=copies >= MOST_COPIES):
                return
        found = self._found(delivery)
        if not (found.wrong and parked):
            self._write_graded(delivery, found.odd)
        if found.wrong:
            self._delivering.start(self._delivering.settle(delivery, self._delivering.refused(delivery, found.wrong)))
        else:
            self._delivering.obey(self._schedule.arrive(delivery, monotonic()))

    def _take_of_copy(self, message: Arrival, result: Result, copy: RegradeAddress, copies: Copies) -> None:
        if why := self._may_answer(result.sender or message.user_id, copy.queue):
            self._put_aside(message, Park(Reason(Slug.SENDER, why), tell=Tell.NEVER), About("", copy.queue))
            return
        self._delivering.start(copies.settle(message, result, copy))

    def _opened(self, message: Arrival) -> tuple[Result, ReturnAddress]:
        if len(message.body) > MAX_MESSAGE_BYTES:
            raise BadMessageError(f"{len(message.body)} bytes are more than the {MAX_MESSAGE_BYTES} allowed", b"")
        result = decode_result(message, ours=self._is_ours(message.user_id))
        return result, self._sealer.open(result.sealed_return, result.submission)

    def _read(self, message: Arrival, result: Result, address: ReturnAddress, *, unread: bool) -> Delivery:
        callback = callback_by_its_way(result, address, self._upstreams)
        return Delivery(
            identity=Identity.of(result),
            url=str(callback.url),
            origin=callback.origin,
            queue=address.queue,
            tries=result.tries,
            graded_at=result.graded_at.timestamp(),
            submitted_at=address.sealed_at,
            unread=unread,
            message=message,
            result=result,
            callback=callback,
            callback_url=address.callback_url,
        )

    def _found(self, delivery: Delivery) -> Finding:
        """Check a reply if that can be done at once; the others stand in line, and are checked when they are first.

        The gateways let no wrong one through, AMQP graders may send them.
        """
        # What has been posted was checked before that.
        if self._checker is None or delivery.tries.made:
            delivery.checked = True
            return FINE
        found = self._checker.at_once(delivery.url, delivery.callback.body, returns_of(delivery.message))
        delivery.checked = found is not None
        return found or FINE

    def _write_graded(self, delivery: Delivery, odd: str) -> None:
        """Write to the ledger that an AMQP grader's result has come: nobody else can tell that its submission ended.

        It is on its way there while the callback is made, and stored before the result is let go.
        """
        result = delivery.result
        if result.recorded or result.redriven or result.tries != NO_TRIES:
            return
        if odd:
            log.warning("submission %s, queue %s: its reply is taken, but %s", result.submission, delivery.queue, odd)
        submission, url = bytes.fromhex(result.submission), hash_url(delivery.callback_url)
        digest = blake2b(result.body, digest_size=KEY_HASH_BYTES).digest()
        delivery.graded = self._notes.write(Graded(time(), submission, delivery.queue, url, b"", digest, odd))
