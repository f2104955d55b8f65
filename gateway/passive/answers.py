"""Publishes the answers: a submission's to its results queue, a caller's to wherever it waits."""

import logging
from contextlib import suppress

from broker_setup.errors import PublishRefusedError, UnroutableError
from broker_setup.link.publisher import Publisher
from broker_setup.topology import ANSWERS_EXCHANGE, CHECKED_EXCHANGE, CHECKED_QUEUE, RESULTS_EXCHANGE, RESULTS_QUEUE
from broker_setup.wire.calls import CallOrigin, answer_to
from broker_setup.wire.notices import failure_notice
from broker_setup.wire.results import Result, encode_result

log = logging.getLogger(__name__)

DEFAULT_EXCHANGE = ""


class Answers:
    """Publishes each answer with a confirm; raises BrokerUnavailableError or UnroutableError where it has to wait."""

    def __init__(self, publisher: Publisher, failure_message: str) -> None:
        """`failure_message` is what a caller reads whose work could not be graded."""
        self._publisher = publisher
        self._failure_message = failure_message
        self._closed: set[str] = set()  # exchanges where we may not publish

    async def result(self, result: Result, reply_to: str) -> None:
        """Send a submission's result on its way to the LMS, which the relay knows if nobody else waits for it."""
        if reply_to != RESULTS_QUEUE:
            with suppress(UnroutableError):
                copy = encode_result(result)
                await self._publisher.publish_copy(copy, exchange=RESULTS_EXCHANGE, routing_key=reply_to)
                return
        await self._publisher.publish_copy(encode_result(result), exchange=CHECKED_EXCHANGE, routing_key=CHECKED_QUEUE)

    async def answer(self, origin: CallOrigin, body: bytes) -> None:
        """Answer a caller; one that waits no longer, or where we may not publish, gets none.

        First where nobody but we may write. The others are for callers whose queue is bound to the results' exchange,
        or to none, which takes a right that XQueue's own users don't have.
        """
        for exchange in (ANSWERS_EXCHANGE, RESULTS_EXCHANGE, DEFAULT_EXCHANGE):
            if exchange in self._closed:
                continue
            try:
                await self._publisher.publish(answer_to(origin, body), exchange=exchange, routing_key=origin.reply_to)
            except UnroutableError:
                continue
            except PublishRefusedError as error:
                if exchange == RESULTS_EXCHANGE:
                    raise  # all results go there: it will be back
                # Not ours to write to, or never declared. It stays so, and asking costs a channel each time.
                log.warning("callers get no answer by the exchange %r: %s", exchange, error)
                self._closed.add(exchange)
            else:
                return
        why = (
            "its queue is bound to no exchange of ours, and we may not publish past them"
            if DEFAULT_EXCHANGE in self._closed
            else "it has gone"
        )
        log.warning("no answer for the caller that waits at %r: %s", origin.reply_to, why)

    async def refuse(self, origin: CallOrigin) -> None:
        """Tell a caller that there will be no other answer."""
        await self.answer(origin, failure_notice(self._failure_message))
