"""Puts submissions aside that no grader will see again: the student is told, and an operator finds them."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import time
from typing import Protocol

from aio_pika.abc import AbstractIncomingMessage, AbstractMessage

from broker_setup.callback_origins import callback_url, origin_of
from broker_setup.errors import BadCallbackUrlError, BadMessageError, BadReturnAddressError
from broker_setup.ledger.answers import Standing
from broker_setup.ledger.events import AnyEvent, Parked, hash_url
from broker_setup.ledger.heard import steady as steady_clock
from broker_setup.link.publisher import Publisher
from broker_setup.topology import PARKED_EXCHANGE, RESULTS_EXCHANGE, RESULTS_QUEUE, SUBMISSIONS_PARKED
from broker_setup.wire.messages import Submission, decode_return, encode_result, encode_submission
from broker_setup.wire.notices import notice_of
from broker_setup.wire.parked import parked_copy
from broker_setup.wire.return_address import Sealer, callback_url_of

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


class Store(Protocol):
    """What is wanted of the ledger."""

    async def store(self, *events: AnyEvent) -> None:
        """Return once the broker has the events; raise BrokerUnavailableError."""


def _free(submission: bytes, now: float) -> Standing:
    return Standing.FREE


class Parking:
    """Parks submissions. Each call returns when the submission's delivery may be acked.

    The student is told first, then the copy is stored, then the ledger hears of it, each with a confirm. A crash in
    between may tell the student twice, never not. All raise BrokerUnavailableError or UnroutableError, and should then
    be made again; while the ledger is away they raise before all else, or each try would store another copy.
    """

    def __init__(
        self,
        publisher: Publisher,
        sealer: Sealer,
        message: str,
        *,
        ledger: Store,
        standing: Callable[[bytes, float], Standing] = _free,
        clock: Callable[[], float] = time,
        steady: Callable[[], float] = steady_clock,
    ) -> None:
        """`message` is what a student reads; `standing` says what the ledger knows of a submission, if we do."""
        self._publisher = publisher
        self._sealer = sealer
        self._message = message
        self._ledger = ledger
        self._standing = standing
        self._clock = clock
        self._steady = steady

    async def submission(self, submission: Submission, why: str) -> None:
        """Park a submission; its student is told once, also if it is redriven and parked again."""
        waits = self._addressee(submission.uuid, submission.sealed_return)
        await self._ledger.store()
        log.warning("submission %s: parked: %s", submission.uuid, why)
        untold = submission.untold or not submission.redriven
        if waits and untold:
            await self._tell(waits)
            untold = False
        await self._store(encode_submission(replace(submission, untold=untold)), why, submission.queue, waits)
        await self._record(submission.uuid_bytes, submission.queue, waits, why, submission.redriven)

    async def unreadable(self, message: AbstractIncomingMessage, queue: str, why: str) -> None:
        """Park a message of the course queue `queue` that is no submission, and tell whoever waits for it, if any."""
        waits = self._addressee_of(message)
        uuid = bytes.fromhex(waits.submission) if waits else b""
        # If somebody grades another copy of it, or it has ended, there is nothing to tell.
        tell = waits is not None and self._standing(uuid, self._steady()) is Standing.FREE
        if tell:
            await self._ledger.store()
        log.warning("queue %s: parking a message that is no submission: %s", queue, why)
        if waits and tell:
            await self._tell(waits)
        await self._store(message, why, queue, waits)
        if tell:
            await self._record(uuid, queue, waits, why)

    def _addressee_of(self, message: AbstractIncomingMessage) -> Addressee | None:
        try:
            return self._addressee(*decode_return(message))
        except BadMessageError:
            return None

    def _addressee(self, submission: str, sealed_return: str) -> Addressee | None:
        try:
            address = self._sealer.open(sealed_return, submission)
        except BadReturnAddressError:
            return None
        return Addressee(submission, sealed_return, callback_url_of(address.lms_header))

    async def _tell(self, waits: Addressee) -> None:
        notice = encode_result(notice_of(waits.submission, waits.sealed_return, self._message))
        await self._publisher.publish(notice, exchange=RESULTS_EXCHANGE, routing_key=RESULTS_QUEUE)

    async def _store(self, message: AbstractMessage, why: str, queue: str, waits: Addressee | None) -> None:
        copy = parked_copy(message, why, queue=queue, origin=waits.origin if waits else "")
        await self._publisher.publish(copy, exchange=PARKED_EXCHANGE, routing_key=SUBMISSIONS_PARKED)

    async def _record(
        self, submission: bytes, queue: str, waits: Addressee | None, why: str, redriven: int = 0
    ) -> None:
        url = hash_url(waits.url) if waits else b""
        await self._ledger.store(Parked(self._clock(), submission, queue, url, why[:MAX_REASON], redriven))
