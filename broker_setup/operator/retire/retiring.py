"""Retires what waits too long: takes it out of its queue, tells the student, writes it to the ledger.

In an event loop, on the services' own link, unlike most operator commands: it follows the ledger while it works and has
hundreds of confirms under way at once, where a blocking client would take a quarter of an hour for a million.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import time

from broker_setup.amqp.messages import Arrival
from broker_setup.errors import BadMessageError, BadReturnAddressError, UnknownSecretError
from broker_setup.ledger.answers import Standing
from broker_setup.ledger.events import AnyEvent, Retired, Superseded, hash_url
from broker_setup.operator.intake import Intake, taking_in
from broker_setup.operator.retire.plan import STAYS, Choice, Plan, Tally, choose
from broker_setup.operator.session import Session
from broker_setup.settings import Settings
from broker_setup.topology import CHECKED_EXCHANGE, CHECKED_QUEUE, submissions_queue
from broker_setup.wire.notices import notice_of
from broker_setup.wire.results import encode_result
from broker_setup.wire.return_address import Sealer
from broker_setup.wire.submissions import Submission, decode_submission

# A gateway gives back within a second what nobody polls for.
BUFFER_SECONDS = 1.2
MAX_REASON = 500


@dataclass(frozen=True)
class Met:
    """A delivery, what it says, and what is to become of it."""

    message: Arrival
    submission: Submission | None
    choice: Choice


class Retirement:
    """One run of the command with --yes."""

    def __init__(self, settings: Settings, plan: Plan, progress: Callable[[Tally], None], prefetch: int = 500) -> None:
        """Build it from settings that have a SECRET_KEY; `progress` is called after each batch."""
        self._plan = plan
        self._progress = progress
        self._prefetch = prefetch
        self._session = Session(settings, "xqueue-broker retire")
        self._state = self._session.ledger.state
        self._sealer = Sealer(settings.secrets)

    async def retire(self, tally: Tally) -> Tally:
        """Retire until no old one is left; what is done so far stands in `tally`, should this be interrupted."""
        async with self._session.open():
            # Twice nothing to do, and in between a gateway has given back what it held for a poll.
            while await self._retires_any(tally) or await self._retires_any(tally, after=BUFFER_SECONDS):
                pass
        return tally

    async def _retires_any(self, tally: Tally, after: float = 0.0) -> bool:
        await asyncio.sleep(after)
        before, tally.newer, tally.leased, tally.unreadable, tally.missed = tally.retired, 0, 0, 0, 0
        await self._sweep(tally)
        return tally.retired > before

    async def _sweep(self, tally: Tally) -> None:
        """Go through the queue once; what stays is held until the end and then put back in order."""
        name = submissions_queue(self._plan.queue)
        async with taking_in(self._session.source) as intake:
            tally.ready = tally.seen + await intake.open(name)
            while batch := await intake.take(self._prefetch):
                # Whatever was written of these before they came to us is known after this.
                await self._session.ledger.barrier()
                met = self._look_at(batch, tally)
                await self._act(met, tally, intake)
                self._progress(tally)
                if len(met) >= self._prefetch and all(each.choice is Choice.NEWER for each in met):
                    break  # queues are in order of time: behind these stand only newer ones
            else:
                tally.missed = intake.left

    def _look_at(self, batch: Sequence[Arrival], tally: Tally) -> list[Met]:
        looked_at: list[Met] = []
        seen: set[str] = set()
        for message in batch:
            submission: Submission | None = None
            try:
                submission = decode_submission(message, self._plan.queue)
            except BadMessageError:
                choice = Choice.UNREADABLE
            else:
                standing = self._state.standing(submission.uuid_bytes, time())
                choice = choose(submission.submitted_at, standing, self._plan.before)
                if choice is Choice.RETIRE and submission.uuid in seen:
                    choice = Choice.CLOSED  # a second copy, from a publish whose confirm got lost
                seen.add(submission.uuid)
            tally.note(choice, submission.submitted_at if submission else None)
            looked_at.append(Met(message, submission, choice))
        return looked_at

    async def _act(self, met: Sequence[Met], tally: Tally, intake: Intake) -> None:
        """Tell the students, write it down, then ack: killed in between, it is done again and nothing is lost."""
        old = [each.submission for each in met if each.choice is Choice.RETIRE and each.submission]
        if self._plan.message is not None:
            await asyncio.gather(*(self._tell(submission, self._plan.message) for submission in old))
        events: list[AnyEvent] = [self._retired(submission) for submission in old]
        events += [
            Superseded(time(), uuid, self._plan.queue, self._state.superseded_by(uuid))
            for each in met
            if each.choice is Choice.SUPERSEDED and each.submission
            for uuid in [each.submission.uuid_bytes]
            if self._state.standing(uuid, time()) is Standing.SUPERSEDED
        ]
        if events:
            await self._session.ledger.store(*events)
        await intake.ack(each.message for each in met if each.choice not in STAYS)
        tally.retired += len(old)

    async def _tell(self, submission: Submission, message: str) -> None:
        result = encode_result(notice_of(submission.uuid, submission.sealed_return, message))
        await self._session.publisher.publish_copy(result, exchange=CHECKED_EXCHANGE, routing_key=CHECKED_QUEUE)

    def _retired(self, submission: Submission) -> Retired:
        try:
            address = self._sealer.open(submission.sealed_return, submission.uuid)
            url = hash_url(address.callback_url)
        except (BadReturnAddressError, UnknownSecretError):
            url = b""  # a stranger's, or sealed under a secret that only others know; the relay has the last word
        reason = self._plan.reason[:MAX_REASON]
        return Retired(time(), submission.uuid_bytes, self._plan.queue, url, reason, self._plan.by)
