"""Puts submissions aside that no grader will ever see (again): the student is told, and an operator finds them."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from aio_pika import Message
from aio_pika.abc import AbstractIncomingMessage

from broker_setup.errors import BadMessageError, BadReturnAddressError
from broker_setup.messages import decode_return, encode_result
from broker_setup.notices import notice_of
from broker_setup.publisher import Publisher
from broker_setup.return_address import Sealer, callback_url_of
from broker_setup.topology import PARKED_EXCHANGE, RESULTS_EXCHANGE, RESULTS_QUEUE, SUBMISSIONS_PARKED

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Addressee:
    """Who waits for a submission's result: its uuid, its sealed return address, the callback URL in that."""

    submission: str
    sealed_return: str
    url: str


@dataclass(frozen=True)
class Aside:
    """What is put aside: `copy` makes the message for the parked queue, `addressee` is told unless there is none."""

    copy: Callable[[], Message]
    addressee: Addressee | None = None


class Parking:
    """Parks submissions; `park` before their deliveries are let go."""

    def __init__(self, publisher: Publisher, sealer: Sealer, message: str) -> None:
        """`message` is what a student reads."""
        self._publisher = publisher
        self._sealer = sealer
        self._message = message

    def addressee_of(self, delivery: AbstractIncomingMessage) -> Addressee | None:
        """Say who waits for what this delivery is or should have been; None if its return address doesn't open."""
        try:
            return self.addressee(*decode_return(delivery))
        except BadMessageError:
            return None

    def addressee(self, submission: str, sealed_return: str) -> Addressee | None:
        """Say who waits for a submission (its uuid, its sealed return address); None if the address doesn't open."""
        try:
            address = self._sealer.open(sealed_return, submission)
        except BadReturnAddressError:
            return None
        return Addressee(submission, sealed_return, callback_url_of(address.lms_header))

    async def park(self, aside: Aside) -> bool:
        """Tell the student, then store the copy; return whether it is stored, else the broker can park it itself.

        Raise BrokerUnavailableError or UnroutableError where the student can't be told: then try again. A crash in
        between may tell the student twice, never not.
        """
        if aside.addressee:
            waits = aside.addressee
            notice = encode_result(notice_of(waits.submission, waits.sealed_return, self._message))
            await self._publisher.publish(notice, exchange=RESULTS_EXCHANGE, routing_key=RESULTS_QUEUE)
        try:
            await self._publisher.publish(aside.copy(), exchange=PARKED_EXCHANGE, routing_key=SUBMISSIONS_PARKED)
        except Exception as error:  # noqa: BLE001 - whatever it was: the broker can park the message, without a reason
            log.warning("a message is parked without its reason: %r", error)
            return False
        return True
