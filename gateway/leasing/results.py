"""Takes results from graders: judged by the facts, published with a confirm, and only then called settled."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from time import time

from broker_setup.errors import XQueueError
from broker_setup.messages import Result, encode_result
from broker_setup.publisher import Publisher
from broker_setup.topology import RESULTS_EXCHANGE, RESULTS_QUEUE
from gateway.leasing.course_queue import CourseQueue
from gateway.leasing.leases import Lease, Leases, Refusal, Take


class UnknownSubmissionError(XQueueError):
    """No lease of this submission is known."""


class WrongKeyError(XQueueError):
    """The key is not that of the submission's present lease."""


class Results:
    """Takes the result of a lease, once, whatever its sender and the broker do meanwhile."""

    def __init__(
        self,
        leases: Leases,
        queues: Mapping[str, CourseQueue],
        publisher: Publisher,
        clock: Callable[[], float] = time,
    ) -> None:
        self._leases = leases
        self._queues = queues
        self._publisher = publisher
        self._clock = clock
        self._under_way: dict[str, asyncio.Task[None]] = {}

    async def take(self, submission_id: int, key: str, body: bytes) -> None:
        """Publish the result; return when the broker has it on disk.

        Raise UnknownSubmissionError, WrongKeyError, MessageTooLargeError (the lease goes on) or
        BrokerUnavailableError: then the grader should try again, and a result that had arrived all the same is not
        delivered twice.
        """
        digest = hashlib.sha256(body).digest()
        while True:
            match self._leases.judge(submission_id, key, digest, self._clock()):
                case Refusal.UNKNOWN_SUBMISSION:
                    raise UnknownSubmissionError(f"submission {submission_id} is not leased")
                case Refusal.WRONG_KEY:
                    raise WrongKeyError(f"the key is not that of the lease of submission {submission_id}")
                case Refusal.REPEAT:
                    return
                case Take(lease, amendment):
                    under_way = self._under_way.get(lease.submission)
                    if under_way is None:
                        # From judging to this line nothing was awaited, so two results can't both be the first.
                        await asyncio.shield(self._begin(lease, amendment, body, digest))
                        return
                    # The same grader's first try, or another result under the same key: see how that ends.
                    await asyncio.wait({under_way})

    def _begin(self, lease: Lease, amendment: int, body: bytes, digest: bytes) -> asyncio.Task[None]:
        self._leases.begin_settling(lease)
        # A task of its own: a grader that hangs up now doesn't undo what it handed in.
        task = asyncio.create_task(self._deliver(lease, amendment, body, digest))
        self._under_way[lease.submission] = task
        task.add_done_callback(lambda done: self._ended(lease, done))
        return task

    def _ended(self, lease: Lease, task: asyncio.Task[None]) -> None:
        self._under_way.pop(lease.submission, None)
        if not task.cancelled():
            task.exception()  # the grader may have hung up; then nobody else asks for it

    async def _deliver(self, lease: Lease, amendment: int, body: bytes, digest: bytes) -> None:
        try:
            message = encode_result(Result(lease.submission, body, lease.sealed_return, amendment=amendment))
            await self._publisher.publish(message, exchange=RESULTS_EXCHANGE, routing_key=RESULTS_QUEUE)
        except BaseException:
            self._leases.settling_failed(lease)
            raise
        self._leases.settle(lease, digest, self._clock())
        self._queues[lease.queue].settled(lease.submission)
