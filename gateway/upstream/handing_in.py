"""Hands in what was taken: published with a confirm first, and then written to the ledger."""

import logging
from time import time

from yarl import URL

from broker_setup.errors import BrokerUnavailableError, MessageTooLargeError
from broker_setup.ledger.events import Submitted, hash_url
from broker_setup.ledger.ledger import Ledger
from broker_setup.link.publisher import Publisher
from broker_setup.settings import Settings
from broker_setup.topology import CHECKED_EXCHANGE, CHECKED_QUEUE, SUBMISSIONS_EXCHANGE
from broker_setup.upstream.dialect import Taken
from broker_setup.wire.notices import notice_of
from broker_setup.wire.results import encode_result
from broker_setup.wire.return_address import ReturnAddress, Sealer
from broker_setup.wire.sealed_urls import UrlSeals
from broker_setup.wire.submissions import Submission, encode_submission
from broker_setup.wire.upstream_address import UpstreamAddress, address_text
from gateway.upstream.taken_before import sender_of

log = logging.getLogger(__name__)


class HandingIn:
    """Makes submissions of what upstreams handed out."""

    def __init__(self, settings: Settings, publisher: Publisher, ledger: Ledger) -> None:
        self._upstreams = settings.upstreams
        self._sealer = Sealer(settings.secrets, settings.seal)
        self._url_seals = UrlSeals(settings.secrets)
        self._message = settings.failure_message
        self._publisher = publisher
        self._ledger = ledger

    async def hand_in(self, upstream: str, queue_there: str, taken: Taken, uuid: bytes) -> None:
        """Return once it is stored; raise BrokerUnavailableError, and then it may be stored or not.

        What fits no message can't be graded: its student is told at once.
        """
        there = self._upstreams[upstream]
        queue = there.queues[queue_there].queue
        url = str((URL(there.url) / "put_result/").with_fragment(str(taken.submission_id)))
        address = UpstreamAddress(upstream, queue_there, queue, url, taken.header)
        sealed = self._sealer.seal(ReturnAddress(uuid.hex(), address_text(address)))
        try:
            message = encode_submission(Submission(uuid.hex(), queue, taken.body, sealed, taken.files))
            await self._publisher.publish(message, exchange=SUBMISSIONS_EXCHANGE, routing_key=queue)
        except (MessageTooLargeError, UnicodeEncodeError) as error:
            log.warning("submission %s: it can't be handed out, and its student is told: %s", uuid.hex(), error)
            notice = encode_result(notice_of(uuid.hex(), sealed, self._message))
            await self._publisher.publish(notice, exchange=CHECKED_EXCHANGE, routing_key=CHECKED_QUEUE)
        hashed = hash_url(url)
        submitted = Submitted(
            time(),
            uuid,
            queue,
            # Each of them wants a result, or is handed out for ever, and nothing after it.
            supersede_after=None,
            url=hashed,
            sender=sender_of(upstream, hashed),
            sealed_url=self._url_seals.seal(url, uuid),
        )
        try:
            await self._ledger.store(submitted)
        except BrokerUnavailableError as error:
            # It is safe; what is lost is that another process knows of it.
            log.warning("submission %s: the ledger does not know that it was taken: %s", uuid.hex(), error)
        log.debug("submission %s taken for queue %s", uuid.hex(), queue, extra={"uuid": uuid.hex(), "queue": queue})
