"""Stores replies at the broker: a submission's for the LMS, a call's for whoever asked."""

import logging
from functools import partial

from xqueue_grader.common.errors import BrokerUnavailableError, UnroutableError
from xqueue_grader.common.link.publisher import Publisher
from xqueue_grader.common.link.settling import until_stored
from xqueue_grader.settlement import Answered, Failed, Settlement
from xqueue_grader.transports.over_amqp.contract import RESULTS_EXCHANGE, RESULTS_KEY, Request

log = logging.getLogger(__name__)


class Answering:
    """Stores replies by one publisher."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def answer(self, request: Request, reply: bytes) -> Settlement:
        """Store a reply, however long that takes: it would be a pity about the work."""
        return await until_stored(
            partial(self._try_to_answer, request, reply),
            whose=f"the reply to submission {request.submission.uuid}",
            passing=(BrokerUnavailableError, UnroutableError),
        )

    async def _try_to_answer(self, request: Request, reply: bytes) -> Settlement:
        message = request.answer(reply)
        await self._publisher.wait_up()
        # Whoever calls may have any queue: for one that answers nothing no grader's time is wasted.
        publish = self._publisher.publish if request.is_call else self._publisher.publish_copy
        try:
            await publish(message, exchange=RESULTS_EXCHANGE, routing_key=request.reply_to)
        except UnroutableError as error:
            if request.is_call:
                return await self._answer_call(request, reply)
            # With the queue of all results gone, everything waits; a name that never was one is this message's.
            if request.reply_to != RESULTS_KEY:
                return Failed(str(error))
            raise
        return Answered()

    async def _answer_call(self, request: Request, reply: bytes) -> Settlement:
        """Answer a caller whose queue stands in no exchange of XQueue's."""
        try:
            await self._publisher.publish(request.answer(reply), exchange="", routing_key=request.reply_to)
        except UnroutableError:
            log.info("call %s: nobody waits for the answer any more", request.correlation_id)
        except BrokerUnavailableError as error:
            return Failed(f"no answer to {request.reply_to!r}: {error}")
        return Answered()
