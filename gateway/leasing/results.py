"""Takes results from graders: checked against the ledger's state, published with a confirm, then recorded."""

import asyncio
import hashlib
from collections.abc import Callable
from time import time

from broker_setup.errors import XQueueError
from broker_setup.ledger.answers import Refusal, Take
from broker_setup.ledger.events import KEY_HASH_BYTES
from broker_setup.ledger.heard import steady as steady_clock
from broker_setup.ledger.ledger import Ledger
from broker_setup.ledger.state import LedgerState
from broker_setup.link.publisher import Publisher
from broker_setup.process.beside import LARGE_BYTES
from broker_setup.process.spans import Step, spans
from broker_setup.wire.replies import FINE
from gateway.leasing.deadline import Patience
from gateway.leasing.handing_in import HandingIn
from gateway.leasing.reply_check import ReplyCheck

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
        self._steady = steady
        self._patience = Patience()
        self._handing_in = HandingIn(ledger, publisher, clock)

    def is_under_way(self, submission: bytes) -> bool:
        """Whether a result of this submission is on its way to the broker right now."""
        return self._handing_in.under_way(submission) is not None

    async def take(self, submission_id: int, key: str, body: bytes, permission: Permission, account: str = "") -> None:
        """Publish the result; return when the broker has it on disk and the ledger says so.

        `account` is who hands it in, for the log.

        Raise UnknownSubmissionError (also without `permission` for the queue), WrongKeyError, BadReplyError or
        MessageTooLargeError (the lease goes on), or BrokerUnavailableError: then the grader should try again, and a
        result that had arrived all the same is not delivered twice.
        """
        with self._patience.in_time():
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
                    if under_way := self._handing_in.under_way(lease.submission):
                        # The same grader's first try, or another result under the same key: wait, then ask again.
                        await under_way.over()
                        continue
                    # Nothing was awaited since the state was asked, so two results can't both be the first.
                    await self._hand_in(welcome, body, digest, found.odd, account)
                    return

    async def _hand_in(self, welcome: Take, body: bytes, digest: bytes, odd: str, account: str) -> None:
        if self._check and odd:
            self._check.warn(welcome.lease, odd, account)
        lease, began = welcome.lease, spans.begin()
        is_first = await self._handing_in.begin(welcome, body, digest, odd).outcome()
        late = "" if is_first else "another result came first"
        spans.tell(Step.PUT_RESULT, lease.submission.hex(), began, {"xqueue.queue": lease.queue}, error=late)
        if not is_first:
            # In that very moment another grader's result came first; the relay delivers only one of the two.
            raise TooLateError(late)

    def _may_take(self, submission_id: int, key: str, digest: bytes, permission: Permission) -> Take | Refusal:
        state = self._ledger.state
        answer = state.may_take(submission_id, key, digest, self._steady())
        if isinstance(answer, Take):
            return answer if permission(answer.lease.queue) else Refusal.UNKNOWN_SUBMISSION
        return Refusal.UNKNOWN_SUBMISSION if is_hidden(state, submission_id, key, permission) else answer


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=KEY_HASH_BYTES).digest()
