"""Sends copies to a course queue, some at a time, and keeps what was found of them, until all is found.

A copy's return address names this regrade and no LMS. Killed at any point, the next run sends what is not found yet:
its copies have the same uuids, so that gateways know those of which a result is on its way.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from broker_setup.amqp.messages import Arrival, Message
from broker_setup.archive.archive import Archive
from broker_setup.archive.entries import ArchivedResult
from broker_setup.errors import (
    BadMessageError,
    BadReturnAddressError,
    BrokerUnavailableError,
    MessageTooLargeError,
    UnknownSecretError,
    XQueueError,
)
from broker_setup.link.settling import end_message, ending_after, until_stored
from broker_setup.link.steady_consumer import SteadyTasks
from broker_setup.operator.regrade.plan import Archived, Found, RegradePlan
from broker_setup.operator.session import Session
from broker_setup.settings import Settings
from broker_setup.topology import REGRADE_LOCK, REGRADED_QUEUE, SUBMISSIONS_EXCHANGE
from broker_setup.wire.properties import MAX_MESSAGE_BYTES
from broker_setup.wire.regrade_address import RegradeAddress, regrade_text
from broker_setup.wire.results import decode_result
from broker_setup.wire.return_address import ReturnAddress, Sealer
from broker_setup.wire.submissions import Submission, encode_submission


class NoAnswerError(XQueueError):
    """Nothing was found of any copy for too long: nobody grades the queue, or it is paused."""


class Regrading:
    """One regrade, run once."""

    def __init__(
        self,
        settings: Settings,
        archive: Archive,
        plan: RegradePlan,
        *,
        at_once: int,
        patience: float,
        found_one: Callable[[], None],
    ) -> None:
        """No more than `at_once` copies are under way; nothing may come of them for `patience` seconds."""
        self._archive, self._found, self._plan = archive, Found(archive), plan
        self._sealer = Sealer(settings.secrets, settings.seal)
        self._session = Session(settings, "xqueue-broker regrade")
        self._at_once, self._patience = at_once, patience
        self._found_one = found_one
        self._under_way: set[str] = set()
        self._changed = asyncio.Event()
        # Those of which there is something now, and those that were forgotten, or can't be read or sent, and why.
        self.found: set[str] = set()
        self.not_sent: dict[str, str] = {}

    async def run(self, todo: Sequence[Archived]) -> None:
        """Have all graded; raise NoAnswerError, BrokerUnavailableError or UnroutableError: then run it again."""
        async with self._session.open(read_ledger=False):
            await self._session.claim(REGRADE_LOCK, "`regrade`")
            consumer = SteadyTasks(self._session.source, REGRADED_QUEUE, prefetch=self._at_once, serve=self._received)
            tasks = {asyncio.create_task(consumer.run()), asyncio.create_task(self._send(todo))}
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
            for task in done:
                task.result()

    async def _send(self, todo: Sequence[Archived]) -> None:
        for each in todo:
            await self._until(lambda: len(self._under_way) < self._at_once)
            if each.uuid in self.found:  # of a run before this one
                continue
            # Before it is read: what was found of an earlier run's copy may come at any moment, and ends it.
            self._under_way.add(each.uuid)
            try:
                message = await self._copy_of(each)
            except (BadMessageError, BadReturnAddressError, UnknownSecretError, MessageTooLargeError) as error:
                self._under_way.discard(each.uuid)
                self.not_sent[each.uuid] = str(error)
                continue
            if each.uuid in self.found:
                continue
            await until_stored(
                partial(
                    self._session.publisher.publish,
                    message,
                    exchange=SUBMISSIONS_EXCHANGE,
                    routing_key=self._plan.to,
                ),
                whose=f"a copy of submission {each.uuid}",
                passing=(BrokerUnavailableError,),
            )
        await self._until(lambda: not self._under_way)

    async def _copy_of(self, each: Archived) -> Message:
        kept = await self._archive.read(each.places)
        if kept is None:
            raise BadMessageError("it was forgotten", b"")
        address = RegradeAddress(self._plan.run, each.uuid, self._plan.to)
        sealed = self._sealer.seal(ReturnAddress(address.copy_uuid, regrade_text(address)))
        copy = Submission(address.copy_uuid, self._plan.to, kept.submission.body, sealed, kept.submission.files)
        return encode_submission(copy)

    async def _until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            self._changed.clear()
            try:
                async with asyncio.timeout(self._patience):
                    await self._changed.wait()
            except TimeoutError:
                raise NoAnswerError(
                    f"no grader has answered any of {len(self._under_way)} copies for {self._patience:g} s"
                ) from None

    async def _received(self, message: Arrival) -> None:
        end_message(message, await ending_after(self._keep(message), failed="what was found of a copy is not kept"))

    async def _keep(self, message: Arrival) -> None:
        result = decode_result(message)
        if len(result.body) > MAX_MESSAGE_BYTES:
            return
        copy = self._sealer.open(result.sealed_return, result.submission).regrade
        if copy is None:
            return
        found = ArchivedResult(copy.of, result.graded_at.timestamp(), result.body, notice=result.notice)
        await self._found.keep(copy.run, found)
        if copy.run == self._plan.run and copy.of not in self.found:
            self.found.add(copy.of)
            self._under_way.discard(copy.of)
            self._found_one()
        self._changed.set()
