"""Tells students of submissions that no grader will ever see, before these are let go."""

from dataclasses import dataclass

from aio_pika.abc import AbstractIncomingMessage

from broker_setup.errors import BadMessageError, BadReturnAddressError
from broker_setup.messages import decode_return, encode_result
from broker_setup.notices import notice_of
from broker_setup.publisher import Publisher
from broker_setup.return_address import Sealer, callback_url_of
from broker_setup.topology import RESULTS_EXCHANGE, RESULTS_QUEUE


@dataclass(frozen=True)
class Addressee:
    """Who waits for a submission's result: its uuid, its sealed return address, the callback URL in that."""

    submission: str
    sealed_return: str
    url: str


class FailureNotices:
    """Sends a failure notice the way that every result goes."""

    def __init__(self, publisher: Publisher, sealer: Sealer, message: str) -> None:
        """`message` is what the student reads."""
        self._publisher = publisher
        self._sealer = sealer
        self._message = message

    def addressee_of(self, delivery: AbstractIncomingMessage) -> Addressee | None:
        """Say who waits for what this delivery should have been; None if its return address doesn't open."""
        try:
            uuid, sealed = decode_return(delivery)
            address = self._sealer.open(sealed, uuid)
        except (BadMessageError, BadReturnAddressError):
            return None
        return Addressee(uuid, sealed, callback_url_of(address.lms_header))

    async def tell(self, addressee: Addressee) -> None:
        """Return when the broker has the notice on disk; raise BrokerUnavailableError or UnroutableError."""
        notice = notice_of(addressee.submission, addressee.sealed_return, self._message)
        await self._publisher.publish(encode_result(notice), exchange=RESULTS_EXCHANGE, routing_key=RESULTS_QUEUE)
