"""Takes results from graders: checked against the ledger's state, published with a confirm, then recorded."""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from time import time
from typing import Any

from broker_setup.errors import BrokerUnavailableError, XQueueError
from broker_setup.ledger.answers import Lease, Refusal, Take
from broker_setup.ledger.events import KEY_HASH_BYTES, Amended, Graded
from broker_setup.ledger.heard import steady as steady_clock
from broker_setup.ledger.ledger import Ledger
from broker_setup.ledger.state import LedgerState
from broker_setup.link.publisher import Publisher
from broker_setup.process.beside import LARGE_BYTES
from broker_setup.topology import CHECKED_EXCHANGE, CHECKED_QUEUE
from broker_setup.wire.replies import FINE
from broker_setup.wire.results import Result, encode_result
from gateway.leasing.deadline import Patience
from gateway.leasing.reply_check import ReplyCheck

log = logging.getLogger(__name__)

# Some 3 MB. A result that is forgotten here is published again when its grader tries again, and the relay drops it.
MAX_UNRECORDED = 10_000

# Whether a caller may reach the queue of this name.
Permission = Callable[[str], bool]


class UnknownSubmissionError(XQueueError):
    """No lease of this submission is known."""


class WrongKeyError(XQueueError):
    """The key is not that of the submission's present lease."""


class TooLateError(WrongKeyError):
    """The key was right a moment ago: somebody else came first."""


def is_hidden(state: LedgerState, submission_id: int, key: str, permission: Permission) -> bool:
    """Say whether a submission is, whatever the key, of a queue that must seem not to be there."""
    queue = state.queue_of(submission_id, key)
    return queue is not None and not permission(queue)


def refused(refusal: Refusal, submission_id: int) -> XQueueError:
    """Make the error of a refusal."""
    if refusal is Refusal.UNKNOWN_SUBMISSION:
        return UnknownSubmissionError(f"submission {submission_id} is not leased, or not its sender's to see")
    return WrongKeyError(f"the key is not that of the lease of submission {submission_id}")


class Results:
    """Takes the result of a lease, once, whatever its sender and the broker do meanwhile."""

    def __init__(
        self,
        ledger: Ledger,
        publisher: Publisher,
        check: ReplyCheck | None,
        clock: Callable[[], float] = time,
        steady: Callable[[], float] = steady_clock,
    ) -> None:
        """Without a `check` replies are not looked at."""
        self._ledger = ledger
        self._check = check
        self._publisher = publisher
        self._clock = clock
        self._steady = steady
        self._patience = Patience()
        self._under_way: dict[bytes, _Delivery] = {}
        # The digests of results that the broker has and the ledger may not know of yet, by submission and amendment:
        # their events are noted, and nobody says when they are written.
        self._unrecorded: dict[tuple[bytes, int], bytes] = {}

    def is_under_way(self, submission: bytes) -> bool:
        """Whether a result of this submission is on its way to the broker right now."""
        return submission in self._under_way

    async def take(self, submission_id: int, key: str, body: bytes, permission: Permission, account: str = "") -> None:
        """Publish the result; return when the broker has it on disk and the ledger says so.

        `account` is who hands it in, for the log.

        Raise UnknownSubmissionError (also without `permission` for the queue), WrongKeyError, BadReplyError or
        MessageTooLargeError (the lease goes on), or BrokerUnavailableError: then the grader should try again, and a
        result that had arrived all the same is not delivered twice.
        """
        async with self._patience.in_time():
            await self._take(submission_id, key, body, permission, account)

    async def _take(self, submission_id: int, key: str, body: bytes, permission: Permission, account: str) -> None:
        await self._ledger.wait_up_to_date()
        # A thread that hashes leaves the interpreter to others: it need not stand in line with what is decoded beside.
        digest = await asyncio.to_thread(_digest, body) if len(body) > LARGE_BYTES else _digest(body)
        up_to_date, found, found_for = False, FINE, None
        while True:
            match self._may_take(submission_id, key, digest, permission):
                case Refusal.REPEAT:
                    return
                case Refusal() | Take(late=True) if not up_to_date:
                    # Another gateway may have leased it just now, or since: what it wrote is on its way to this one.
                    await self._ledger.barrier()
                    up_to_date = True
                case Refusal() as refusal:
                    raise refused(refusal, submission_id)
                case Take(lease, amendment) as welcome:
                    if self._check and lease.sealed != found_for:
                        at_once, found_for = self._check.at_once(body), lease.sealed
                        if at_once is None:
                            # This may take a while, so the loop then asks again whether the result is welcome.
                            found = await self._check.look(lease, body)
                            continue
                        found = at_once
                    if self._check and found.wrong:
                        raise self._check.refuse(lease, amendment, digest, found.wrong, account)
                    if under_way := self._under_way.get(lease.submission):
                        # The same grader's first try, or another result under the same key: wait, then ask again.
                        await under_way.over()
                        continue
                    # Nothing was awaited since the state was asked, so two results can't both be the first.
                    await self._begin(welcome, body, digest, found.odd, account).outcome()
                    return

    def _may_take(self, submission_id: int, key: str, digest: bytes, permission: Permission) -> Take | Refusal:
        state = self._ledger.state
        if is_hidden(state, submission_id, key, permission):
            return Refusal.UNKNOWN_SUBMISSION
        return state.may_take(submission_id, key, digest, self._steady())

    def _begin(self, welcome: Take, body: bytes, digest: bytes, odd: str, account: str) -> "_Delivery":
        lease = welcome.lease
        if self._check and odd:
            self._check.warn(lease, odd, account)
        delivery = _Delivery(
            self._deliver(lease, welcome.amendment, body, digest, odd), partial(self._ended, lease.submission)
        )
        self._under_way[lease.submission] = delivery
        return delivery

    def _ended(self, submission: bytes) -> None:
        self._under_way.pop(submission, None)

    async def _deliver(self, lease: Lease, amendment: int, body: bytes, digest: bytes, odd: str) -> None:
        submission, now = lease.submission, self._clock()
        event = (
            Amended(now, submission, lease.key, digest, amendment)
            if amendment
            else Graded(now, submission, lease.queue, lease.url, lease.key, digest, odd)
        )
        # Published before it is written down: the other way round, a crash in between would lose it.
        if self._unrecorded.get((submission, amendment)) != digest:
            message = encode_result(Result(submission.hex(), body, lease.sealed, amendment=amendment, recorded=True))
            await self._publisher.publish(message, exchange=CHECKED_EXCHANGE, routing_key=CHECKED_QUEUE)
            self._remember(submission, amendment, digest)
        try:
            valid = await self._ledger.record(event)
        except BrokerUnavailableError:
            self._ledger.note(event)
            raise
        self._unrecorded.pop((submission, amendment), None)
        if not valid:
            # In that very moment another grader's result came first; the relay delivers only one of the two.
            raise TooLateError("another result came first")

    def _remember(self, submission: bytes, amendment: int, digest: bytes) -> None:
        self._unrecorded[submission, amendment] = digest
        if len(self._unrecorded) > MAX_UNRECORDED:
            del self._unrecorded[next(iter(self._unrecorded))]


class _Delivery:
    """A result on its way, in a task of its own: a grader that hangs up now doesn't undo what it handed in."""

    def __init__(self, delivering: Coroutine[Any, Any, None], ended: Callable[[], None]) -> None:
        self._ended = ended
        self._waiters: list[asyncio.Future[Exception | None]] = []
        self._task = asyncio.create_task(self._run(delivering))

    async def outcome(self) -> None:
        """Return when it is safe, or raise what became of it instead."""
        if error := await self.over():
            raise error

    async def over(self) -> Exception | None:
        """Return when nothing is under way any more, with what it ended with; who gives up stops nobody else."""
        waiter: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        return await waiter

    async def _run(self, delivering: Coroutine[Any, Any, None]) -> None:
        error: Exception | None = BrokerUnavailableError("the gateway is stopping")
        try:
            await delivering
            error = None
        except Exception as raised:  # noqa: BLE001 - whoever handed it in is told
            error = raised
        finally:
            self._ended()
            for waiter in self._waiters:
                if not waiter.done():
                    waiter.set_result(error)


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=KEY_HASH_BYTES).digest()
