"""Puts submissions aside that no grader will see again: the student is told, and an operator finds them."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import time

from aio_pika import Message
from aio_pika.abc import AbstractIncomingMessage

from broker_setup.errors import BadMessageError, BadReturnAddressError
from broker_setup.ledger.answers import Standing
from broker_setup.ledger.events import AnyEvent, Parked, hash_url
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


def _free(submission: bytes, now: float) -> Standing:
    return Standing.FREE


class Parking:
    """Parks submissions. Each call returns when the submission's delivery may be acked.

    The student is told first, then the copy is stored, then the ledger hears of it. A crash in between may tell the
    student twice, never not. All raise BrokerUnavailableError or UnroutableError, and should then be made again.
    """

    def __init__(
        self,
        publisher: Publisher,
        sealer: Sealer,
        message: str,
        *,
        note: Callable[[AnyEvent], None],
        standing: Callable[[bytes, float], Standing] = _free,
        clock: Callable[[], float] = time,
    ) -> None:
        """`message` is what a student reads; `note` writes to the ledger, `standing` says what that knows, if we do."""
        self._publisher = publisher
        self._sealer = sealer
        self._message = message
        self._write = note
        self._standing = standing
        self._clock = clock

    async def submission(self, submission: Submission, why: str) -> None:
        """Park a submission; its student is told once, also if it is redriven and parked again."""
        log.warning("submission %s: parked: %s", submission.uuid, why)
        waits = self._addressee(submission.uuid, submission.sealed_return)
        if waits and not submission.redriven:
            await self._tell(waits)
        await self._store(parked_copy(encode_submission(submission), why, queue=submission.queue))
        url = hash_url(waits.url) if waits else b""
        self._note(submission.uuid_bytes, submission.queue, url, why, submission.redriven)

    async def unreadable(self, message: AbstractIncomingMessage, queue: str, why: str) -> None:
        """Park a message of the course queue `queue` that is no submission, and tell whoever waits for it, if any."""
        log.warning("queue %s: parking a message that is no submission: %s", queue, why)
        waits = self._addressee_of(message)
        uuid = bytes.fromhex(waits.submission) if waits else b""
        # If somebody grades another copy of it, or it has ended, there is nothing to tell.
        if waits and self._standing(uuid, self._clock()) is not Standing.FREE:
            waits = None
        if waits:
            await self._tell(waits)
        await self._store(parked_copy(message, why, queue=queue))
        if waits:
            self._note(uuid, queue, hash_url(waits.url), why)

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

    async def _store(self, copy: Message) -> None:
        await self._publisher.publish(copy, exchange=PARKED_EXCHANGE, routing_key=SUBMISSIONS_PARKED)

    def _note(self, submission: bytes, queue: str, url: bytes, why: str, redriven: int = 0) -> None:
        self._write(Parked(self._clock(), submission, queue, url, why[:MAX_REASON], redriven))
