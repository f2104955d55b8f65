"""Publishes the answers: a submission's to its results queue, a caller's to wherever it waits."""

import logging

from broker_setup.errors import PublishRefusedError, UnroutableError
from broker_setup.link.publisher import Publisher
from broker_setup.topology import RESULTS_EXCHANGE, RESULTS_QUEUE
from broker_setup.wire.calls import Caller, answer_to
from broker_setup.wire.messages import Result, encode_result
from broker_setup.wire.notices import failure_notice

log = logging.getLogger(__name__)

DEFAULT_EXCHANGE = ""


class Answers:
    """Publishes each answer with a confirm; raises BrokerUnavailableError or UnroutableError where it has to wait."""

    def __init__(self, publisher: Publisher, failure_message: str) -> None:
        """`failure_message` is what a caller reads whose work could not be graded."""
        self._publisher = publisher
        self._failure_message = failure_message
        self._only_bound = False

    async def result(self, result: Result, reply_to: str) -> None:
        """Send a submission's result on its way to the LMS, which the relay knows if nobody else waits for it."""
        try:
            await self._publisher.publish_copy(encode_result(result), exchange=RESULTS_EXCHANGE, routing_key=reply_to)
        except UnroutableError:
            if reply_to == RESULTS_QUEUE:
                raise
            await self.result(result, RESULTS_QUEUE)

    async def answer(self, caller: Caller, body: bytes) -> None:
        """Answer a caller; one that waits no longer, or where we may not publish, gets none."""
        try:
            await self._publisher.publish(
                answer_to(caller, body), exchange=RESULTS_EXCHANGE, routing_key=caller.reply_to
            )
        except UnroutableError:
            await self._answer_unbound(caller, body)

    async def refuse(self, caller: Caller) -> None:
        """Tell a caller that there will be no other answer."""
        await self.answer(caller, failure_notice(self._failure_message))

    async def _answer_unbound(self, caller: Caller, body: bytes) -> None:
        """Go past the exchange, which takes a right that XQueue's own users don't have."""
        why = "its queue is not bound to the exchange xqueue.results, and we may not publish past that"
        if not self._only_bound:
            try:
                await self._publisher.publish(
                    answer_to(caller, body), exchange=DEFAULT_EXCHANGE, routing_key=caller.reply_to
                )
            except PublishRefusedError:
                # It stays so, and asking costs a channel each time.
                self._only_bound = True
            except UnroutableError:
                why = "it has gone"
            else:
                return
        log.warning("no answer for the caller that waits at %r: %s", caller.reply_to, why)
