"""Writes the archive: takes what the exchanges copied for it, keeps what is to be kept, and only then acks.

Killed at any point, what was not acked comes again, and what lies there already is left as it is.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from time import time

from broker_setup.amqp.messages import Arrival
from broker_setup.archive.archive import Archive
from broker_setup.archive.choosing import Choosing, Entry
from broker_setup.errors import BadMessageError, BadReturnAddressError, StorageError, UnknownSecretError
from broker_setup.link.broker_calls import broker_calls, close_channel
from broker_setup.link.connection import Link, supervised
from broker_setup.link.settling import end_message, ending_after, pause
from broker_setup.link.steady_consumer import SteadyTasks
from broker_setup.process.process_name import process_name
from broker_setup.settings import Settings
from broker_setup.topology import ARCHIVED_RESULTS, ARCHIVED_SUBMISSIONS
from broker_setup.wire.answering import is_ours, may_answer
from broker_setup.wire.return_address import Sealer

log = logging.getLogger(__name__)

# Each may have 15 MiB.
AT_ONCE = 16
CLEAN_SECONDS = 3600.0
LOOK_SECONDS = 0.3
# Nothing waits, and nothing is under way, as often as this one after the other: then nothing is on its way to us.
LOOKS = 3


class ArchiveWriter:
    """Runs until it is stopped, or, where it is to write `once`, until nothing waits any more."""

    def __init__(self, settings: Settings, archive: Archive) -> None:
        """Build it; nothing is opened yet."""
        self._archive = archive
        self._max_age = settings.archive_max_age
        self._link = Link(settings.amqp_url.get_secret_value(), process_name("xqueue-broker archive write"))
        graders, services = settings.amqp_graders, settings.services
        choosing = Choosing(
            Sealer(settings.secrets),
            settings.archived_queues,
            is_ours=partial(is_ours, graders=graders, services=services),
            may_answer=partial(may_answer, graders=graders, services=services),
        )
        self._consumers = [
            SteadyTasks(self._link, queue, prefetch=AT_ONCE, serve=partial(self._serve, choose))
            for queue, choose in (
                (ARCHIVED_SUBMISSIONS, choosing.of_submission),
                (ARCHIVED_RESULTS, choosing.of_result),
            )
        ]
        self._stopping = asyncio.Event()
        self._at_hand = 0
        self._is_away = False
        self.kept = self.passed_over = 0

    def stop(self) -> None:
        """Ask `run` to return; what is not kept yet goes back to its queue."""
        self._stopping.set()

    async def run(self, *, once: bool = False) -> None:
        """Write; a broker or a store that is away, or comes back, is no reason to end."""
        async with supervised(self._link):
            tasks = [asyncio.create_task(consumer.run()) for consumer in self._consumers]
            tasks.append(asyncio.create_task(self._until_nothing_waits() if once else self._keep_clean()))
            stopping = asyncio.create_task(self._stopping.wait())
            try:
                await asyncio.wait({*tasks, stopping}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (*tasks, stopping):
                    task.cancel()
                await asyncio.wait({*tasks, stopping})
        for task in tasks:
            if not task.cancelled():
                task.result()  # a mistake of ours: let that be seen

    async def _serve(self, choose: Callable[[Arrival], Entry | None], message: Arrival) -> None:
        self._at_hand += 1
        try:
            whose = f"submission {message.correlation_id}: not archived"
            end_message(message, await ending_after(self._kept(choose, message), failed=whose))
        finally:
            self._at_hand -= 1

    async def _kept(self, choose: Callable[[Arrival], Entry | None], message: Arrival) -> None:
        try:
            entry = choose(message)
        except (BadMessageError, BadReturnAddressError, UnknownSecretError) as error:
            # Whoever grades or delivers it says what is wrong with it, and parks it; anybody may send any number.
            log.debug("submission %s: nothing of it is archived: %s", message.correlation_id, error)
            entry = None
        if entry is None:
            self.passed_over += 1
            return
        while True:
            try:
                is_new = await self._archive.keep(entry.place, entry.archived)
            except StorageError as error:
                self._say_once(str(error))
                await pause()
            else:
                self._say_once("")
                self.kept += is_new
                return

    def _say_once(self, error: str) -> None:
        if error and not self._is_away:
            log.error("the archive can't be written, and what is to be archived waits at the broker: %s", error)
        elif self._is_away and not error:
            log.info("the archive can be written again")
        self._is_away = bool(error)

    async def _keep_clean(self) -> None:
        while True:
            try:
                removed = await asyncio.to_thread(self._clean)
                if removed:
                    log.info("removed %d objects of the archive that are older than ARCHIVE_MAX_AGE", removed)
            except StorageError as error:
                log.warning("what is older than ARCHIVE_MAX_AGE stays for now: %s", error)
            await asyncio.sleep(CLEAN_SECONDS)

    def _clean(self) -> int:
        self._archive.store.clear_away(time() - CLEAN_SECONDS)
        return self._archive.remove_before(time() - self._max_age)

    async def _until_nothing_waits(self) -> None:
        await self._link.wait_up()
        looks = 0
        while looks < LOOKS:
            await asyncio.sleep(LOOK_SECONDS)
            looks = 0 if self._at_hand or await self._waiting() else looks + 1
        await asyncio.to_thread(self._clean)

    async def _waiting(self) -> int:
        with broker_calls("the broker does not say what waits"):
            channel = await self._link.channel()
            try:
                return sum([await channel.count_ready(queue) for queue in (ARCHIVED_SUBMISSIONS, ARCHIVED_RESULTS)])
            finally:
                await close_channel(channel)
