"""What a grader does with a reply: warns of what an LMS would not take, and stores the reply at the broker."""

import asyncio
import logging
from functools import partial

from broker_setup.errors import BrokerUnavailableError, UnroutableError
from broker_setup.grader.request import Request
from broker_setup.grader.settlement import Answered, Failed, Settlement
from broker_setup.link.publisher import Publisher
from broker_setup.link.settling import until_stored
from broker_setup.topology import RESULTS_EXCHANGE, RESULTS_QUEUE
from broker_setup.wire.replies import check_strictly
from broker_setup.wire.reply_checker import BESIDE_BYTES

log = logging.getLogger(__name__)


class Answering:
    """Stores replies: a submission's for the LMS, a call's for whoever asked."""

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
            if request.reply_to != RESULTS_QUEUE:
                return Failed(str(error))
            raise
        return Answered()

    async def _answer_call(self, request: Request, reply: bytes) -> Settlement:
        """Answer a caller whose queue stands in no exchange of ours."""
        try:
            await self._publisher.publish(request.answer(reply), exchange="", routing_key=request.reply_to)
        except UnroutableError:
            log.info("call %s: nobody waits for the answer any more", request.correlation_id)
        except BrokerUnavailableError as error:
            return Failed(f"no answer to {request.reply_to!r}: {error}")
        return Answered()


async def warn_of(request: Request, reply: bytes) -> None:
    """Tell the function's author what an LMS would not take; where a reply goes, a grader does not know."""
    if request.is_call:
        return
    large = len(reply) > BESIDE_BYTES
    found = await asyncio.to_thread(check_strictly, reply) if large else check_strictly(reply)
    if found.wrong:
        log.warning(
            "submission %s: Open edX takes no such reply, and its student reads a notice in its place: %s",
            request.submission.uuid,
            found.wrong,
        )
    elif found.odd:
        log.warning("submission %s: Open edX takes its reply, but %s", request.submission.uuid, found.odd)
