"""Leases what was chosen for a poll: decided on, written to the ledger, handed out once that is read back.

No task waits for that: each lease goes on when its event's turn has come in the ledger, whether or not its grader is
still there.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from functools import partial

from msgspec import Struct

from broker_setup.errors import BrokerUnavailableError
from broker_setup.ledger.events import Leased, Released, hash_key
from broker_setup.ledger.ledger import Ledger
from broker_setup.process.spans import Step, spans
from broker_setup.wire.return_address import Sealer
from broker_setup.wire.submissions import Submission
from gateway.leasing.deliveries import Waiting
from gateway.leasing.holding import Holding
from gateway.leasing.lease_decision import Decision, Grant, LookAgain, Park, PutOff, Terms, decide
from gateway.leasing.returns import Returns

# Nobody can guess so many.
KEY_BYTES = 16


class Handout(Struct, frozen=True, gc=False):
    """What a grader gets: the submission, the key of its lease, and when (seconds since the epoch) that ends."""

    submission: Submission
    key: str
    expires_at: float


class HandingOut:
    """Leases the submissions of one queue, and takes them back from graders that have gone."""

    def __init__(
        self,
        queue: str,
        held: Holding,
        *,
        ledger: Ledger,
        sealer: Sealer,
        returns: Returns,
        terms: Terms,
        clock: Callable[[], float],
    ) -> None:
        self._queue = queue
        self._held = held
        self._ledger = ledger
        self._sealer = sealer
        self._returns = returns
        self._terms = terms
        self._clock = clock

    # Between the decision and its event's turn others may come first: the state may lag behind, and it is decided again
    # then whether the lease is valid, for all gateways alike.

    async def lease(self, chosen: Sequence[Waiting], grader: str) -> list[Handout]:
        """Lease what was chosen to the account `grader`, as far as it may be.

        If that hangs up meanwhile, it is taken back. Raise BrokerUnavailableError if the ledger could not be asked
        about any of them.
        """
        answer = _Answer(len(chosen), self.take_back)
        for waiting in chosen:
            self._begin(waiting, grader, answer)
        return await answer.given()

    def take_back(self, handouts: Sequence[Handout]) -> None:
        """Release leases at once, as whoever asked has gone; those above the bound on returns are left to run out."""
        now = self._clock()
        for handout in handouts:
            if self._returns.take(self._queue, handout.submission.sealed_return):
                continue
            key = hash_key(handout.key)
            self._ledger.note(Released(now, handout.submission.uuid_bytes, key, available_at=now, failed=False))

    def _begin(self, waiting: Waiting, grader: str, answer: "_Answer") -> None:
        key = os.urandom(KEY_BYTES).hex()
        try:
            decision = self._decide(waiting, key, grader)
            if isinstance(decision, Grant):
                handout = Handout(waiting.submission, key, decision.event.expires_at)
                self._write(waiting, decision.event, handout, answer)
            else:
                # In a turn of its own: a poll may pass over a thousand.
                asyncio.get_running_loop().call_soon(self._pass_over, waiting, answer)
        except Exception as error:  # noqa: BLE001 - whoever polls hears of it, and the others of the poll go on
            answer.failed(error)

    def _decide(self, waiting: Waiting, key: str = "", grader: str = "") -> Decision:
        return decide(
            waiting.submission,
            self._held.standing(waiting.id),
            self._ledger.state.lease_of(waiting.id),
            terms=self._terms,
            now=self._clock(),
            key=key,
            grader=grader,
            callback_url=self._callback_url,
        )

    def _pass_over(self, waiting: Waiting, answer: "_Answer") -> None:
        try:
            match self._decide(waiting):
                case Park(parked, why):
                    self._held.park(parked, why)
                case PutOff(why):
                    self._held.put_off(waiting.submission, why)
                case LookAgain() | Grant():
                    self._held.look_again(waiting)
        except Exception as error:  # noqa: BLE001 - as above
            answer.failed(error)
        else:
            answer.void()

    def _write(self, waiting: Waiting, event: Leased, handout: Handout, answer: "_Answer") -> None:
        try:
            recorded = self._ledger.begin_to_record(event)
        except BrokerUnavailableError:
            self._unknown(event)
            raise
        recorded.add_done_callback(partial(self._recorded, waiting, event, handout, answer))

    def _recorded(
        self, waiting: Waiting, event: Leased, handout: Handout, answer: "_Answer", recorded: asyncio.Future[bool]
    ) -> None:
        if error := recorded.exception():
            self._unknown(event)
            answer.failed(error)
        elif recorded.result():
            uuid = handout.submission.uuid
            spans.tell(Step.LEASE, uuid, event.at, {"xqueue.queue": self._queue, "xqueue.attempt": event.attempt})
            answer.leased(handout)
        else:
            self._held.look_again(waiting)
            answer.void()

    def _unknown(self, event: Leased) -> None:
        # The lease may stand in the ledger all the same, though nobody has its key.
        self._ledger.note(Released(event.at, event.submission, event.key, available_at=event.at, failed=False))
        self._held.give_one_back(event.submission)

    def _callback_url(self, submission: Submission) -> str:
        return self._sealer.open(submission.sealed_return, submission.uuid).callback_url


class _Answer:
    """What a poll is told, once it is known what became of each of its leases."""

    def __init__(self, expected: int, take_back: Callable[[Sequence[Handout]], None]) -> None:
        self._expected = expected
        self._take_back = take_back
        self._handouts: list[Handout] = []
        self._error: BaseException | None = None
        self._is_complete: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def given(self) -> list[Handout]:
        """Return what was leased; raise the first error where nothing was."""
        try:
            if self._expected:
                await self._is_complete
        except asyncio.CancelledError:
            # A grader that hangs up now must not leave leases that nobody knows of.
            if not self._expected:
                self._take_back(self._handouts)
            raise
        if self._error and not self._handouts:
            raise self._error
        return self._handouts

    def leased(self, handout: Handout) -> None:
        self._handouts.append(handout)
        self._count()

    def failed(self, error: BaseException) -> None:
        if self._error is None:
            self._error = error
        self._count()

    def void(self) -> None:
        self._count()

    def _count(self) -> None:
        self._expected -= 1
        if self._expected:
            return
        if self._is_complete.cancelled():
            self._take_back(self._handouts)
        elif not self._is_complete.done():
            self._is_complete.set_result(None)
