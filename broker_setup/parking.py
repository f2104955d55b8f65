"""Puts submissions aside that no grader will see again: an operator finds them, after a grace the student is told."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import time
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from broker_setup.amqp.messages import Arrival, Message
from broker_setup.errors import BadCallbackUrlError, BadMessageError, BadReturnAddressError, MistakeError
from broker_setup.ledger.answers import Standing
from broker_setup.ledger.events import AnyEvent, Parked, hash_url
from broker_setup.ledger.heard import steady as steady_clock
from broker_setup.link.publisher import Publisher
from broker_setup.link.settling import despite_mistakes
from broker_setup.outbound.callback_urls import callback_url, origin_of
from broker_setup.topology import PARKED_EXCHANGE, SUBMISSIONS_PARKED
from broker_setup.wire.notices import TOLD_BEFORE, Telling, notice_of, telling_after
from broker_setup.wire.parked import parked_copy
from broker_setup.wire.properties import RETURN_HEADER, decode_return
from broker_setup.wire.results import encode_result
from broker_setup.wire.return_address import Sealer
from broker_setup.wire.submissions import Submission, encode_submission

log = logging.getLogger(__name__)

# Of a reason, in the ledger.
MAX_REASON = 500


@dataclass(frozen=True)
class Addressee:
    """Who waits for a submission's result: its uuid, its sealed return address, the callback URL in that."""

    submission: str
    sealed_return: str
    url: str

    @property
    def origin(self) -> str:
        """Which LMS it is; "" where the URL is none."""
        try:
            return origin_of(callback_url(self.url))
        except BadCallbackUrlError:
            return ""


class Case(Struct, frozen=True):
    """What is parked: of which course queue, why, who waits for it, when they are told."""

    queue: str
    why: str
    waits: Addressee | None
    telling: Telling | None


class WritableLedger(Protocol):
    """What is wanted of the ledger."""

    async def store(self, *events: AnyEvent) -> None:
        """Return once the broker has the events; raise BrokerUnavailableError."""


def _free(submission: bytes, now: float) -> Standing:
    return Standing.FREE


class Parking:
    """Parks submissions. Each call returns when the submission's delivery may be acked.

    The student's notice goes first, to wait for its time; then the copy is stored, then the ledger hears of it, each
    with a confirm. A crash in between may tell the student twice, never not. All raise BrokerUnavailableError or
    UnroutableError, and should then be made again; while the ledger is away they raise before all else, or each try
    would store another copy.
    """

    def __init__(
        self,
        publisher: Publisher,
        sealer: Sealer,
        message: str,
        *,
        ledger: WritableLedger,
        grace_of: Callable[[str], float],
        standing: Callable[[bytes, float], Standing] = _free,
        clock: Callable[[], float] = time,
        steady: Callable[[], float] = steady_clock,
    ) -> None:
        """`message` is what a student reads, and `grace_of` says how many seconds after for a queue.

        `standing` says what the ledger knows of a submission, if we do.
        """
        self._publisher = publisher
        self._sealer = sealer
        self._message = message
        self._ledger = ledger
        self._grace_of = grace_of
        self._standing = standing
        self._clock = clock
        self._steady = steady

    async def submission(self, submission: Submission, why: str) -> None:
        """Park a submission; its student is told once, also if it is redriven and parked again."""
        waits = self._addressee(submission.uuid, submission.sealed_return)
        await self._ledger.store()
        about = {"uuid": submission.uuid, "queue": submission.queue, "reason": why}
        log.warning("submission %s: parked: %s", submission.uuid, why, extra=about)
        untold, telling = submission.untold or not submission.redriven, None
        if waits:
            telling = await self._tell(waits, submission.queue, submission.redriven) if untold else TOLD_BEFORE
            untold = False
        case = Case(submission.queue, why, waits, telling)
        await self._store(encode_submission(replace(submission, untold=untold)), case)
        await self._record(submission.uuid_bytes, case, submission.redriven)

    async def unreadable(self, message: Arrival, queue: str, why: str) -> None:
        """Park a message of the course queue `queue` that is no submission, and tell whoever waits for it, if any."""
        waits = self._addressee_of(message)
        uuid = bytes.fromhex(waits.submission) if waits else b""
        # If somebody grades another copy of it, or it has ended, there is nothing to tell.
        tell = waits is not None and self._standing(uuid, self._steady()) is Standing.FREE
        if tell:
            await self._ledger.store()
        about = {"uuid": uuid.hex(), "queue": queue, "reason": why}
        log.warning("queue %s: parking a message that is no submission: %s", queue, why, extra=about)
        telling = await self._tell(waits, queue) if waits and tell else None
        case = Case(queue, why, waits, telling)
        await self._store(message, case)
        if tell:
            await self._record(uuid, case)

    def _addressee_of(self, message: Arrival) -> Addressee | None:
        try:
            return self._addressee(*decode_return(message))
        except BadMessageError:
            return None

    def _addressee(self, submission: str, sealed_return: str) -> Addressee | None:
        try:
            address = self._sealer.open(sealed_return, submission)
        except BadReturnAddressError:
            return None
        return Addressee(submission, sealed_return, address.callback_url)

    async def _tell(self, waits: Addressee, queue: str, redriven: int = 0) -> Telling:
        # Of a copy, which no LMS waits for, whoever regrades hears at once.
        grace = self._grace_of(queue) if waits.url else 0.0
        telling = telling_after(grace, self._clock())
        notice = notice_of(waits.submission, waits.sealed_return, self._message, redriven=redriven, at=telling.at)
        exchange, routing_key = telling.route
        await self._publisher.publish_copy(encode_result(notice), exchange=exchange, routing_key=routing_key)
        return telling

    async def _store(self, message: Message | Arrival, case: Case) -> None:
        whose = f"queue {case.queue}: parking"
        try:
            await despite_mistakes(partial(self._copy, message, case), whose=whose)
        except MistakeError as error:
            # Whatever it is about the message: what is needed of it stays, and it does not come again without end.
            bare, case = _bare(message, case.waits), replace(case, why=f"{case.why} ({error})")
            await despite_mistakes(partial(self._copy, bare, case), whose=whose)

    async def _copy(self, message: Message | Arrival, case: Case) -> None:
        origin = case.waits.origin if case.waits else ""
        copy = parked_copy(message, case.why, queue=case.queue, origin=origin, telling=case.telling)
        await self._publisher.publish_copy(copy, exchange=PARKED_EXCHANGE, routing_key=SUBMISSIONS_PARKED)

    async def _record(self, submission: bytes, case: Case, redriven: int = 0) -> None:
        url = hash_url(case.waits.url) if case.waits else b""
        tell_at = case.telling.at if case.telling else 0.0
        await self._ledger.store(
            Parked(self._clock(), submission, case.queue, url, case.why[:MAX_REASON], redriven, tell_at)
        )


def _bare(message: Message | Arrival, waits: Addressee | None) -> Message:
    """Make a message of the body alone, and of who waits for its result."""
    if waits is None:
        return Message(message.body)
    return Message(message.body, correlation_id=waits.submission, headers={RETURN_HEADER: waits.sealed_return})
