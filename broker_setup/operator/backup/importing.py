"""Carries an import out: the ledger first, work last, each portion confirmed and marked; a second run goes on."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import time

from broker_setup.amqp.channel import Channel
from broker_setup.amqp.messages import Message
from broker_setup.ledger.events import Act, Acted
from broker_setup.link.broker_calls import broker_calls, close_channel
from broker_setup.operator.backup.manifest import ExportedFile, Manifest
from broker_setup.operator.backup.place import Place, make_marks, place_of, remove_marks
from broker_setup.operator.backup.progress_marks import COPIES, MARKS, Mark, encode_mark
from broker_setup.operator.backup.reading import portions
from broker_setup.operator.backup.routes import Route, as_of, in_order, routes_to
from broker_setup.operator.copies import Key, confirmed, copy_of, key_of
from broker_setup.operator.intake import read_all
from broker_setup.operator.portions import to_its_end
from broker_setup.operator.session import Session
from broker_setup.settings import Settings


class Import:
    """One run of the command with --yes."""

    def __init__(self, settings: Settings, folder: Path, manifest: Manifest, tell: Callable[[int], None]) -> None:
        """`tell` is called with how many messages are stored, those of earlier runs among them.

        Raise ArgumentError where the settings lack a queue.
        """
        self._url = settings.amqp_url.get_secret_value()
        self._topology = settings.topology
        self._folder = folder
        self._id = manifest.id
        self._files = in_order(manifest.files)
        self._routes = routes_to(self._files, settings.topology)
        self._tell = tell
        self._session = Session(settings, "xqueue-broker import")
        self.stored = 0

    async def run(self, *, by: str) -> bool:
        """Import what is not there yet; return False if all of it was, by an earlier run.

        Raise ArgumentError where the broker is not fresh, BrokerUnavailableError or PublishRefusedError where it takes
        nothing: what was stored by then is not stored again by the next run.
        """
        async with self._session.open(read_ledger=False):
            await self._session.claim()
            place = await place_of(self._session, self._url, self._topology, self._id)
            if place is Place.DONE:
                await asyncio.to_thread(remove_marks, self._url)
                return False
            if place is Place.FRESH:
                await asyncio.to_thread(make_marks, self._url, {route.exchange for route in self._routes.values()})
                await self._mark(Mark(self._id, 0, 0))
                mark = Mark(self._id, 0, 0)
            else:
                mark = place
            await self._store_all(mark)
            await self._session.ledger.store(Acted(time(), b"", Act.IMPORTED, by, reason=self._id))
            await asyncio.to_thread(remove_marks, self._url)
        return True

    async def _store_all(self, mark: Mark) -> None:
        """Store all from a mark on; of the portion behind it some may be stored already."""
        known = Counter(map(key_of, await read_all(self._session.source, COPIES)))
        self.stored = sum(file.messages for file in self._files[: mark.file]) + mark.line
        with broker_calls("the import was broken off"):
            channel = await self._session.source.channel()
            for number in range(mark.file, len(self._files)):
                file, line = self._files[number], mark.line if number == mark.file else 0
                for portion in portions(self._folder, file, line):
                    line += len(portion)
                    await to_its_end(self._store(channel, file, portion, known, Mark(self._id, number, line)))
                    self._tell(self.stored)
            await close_channel(channel)

    async def _store(
        self, channel: Channel, file: ExportedFile, portion: Sequence[Message], known: Counter[Key], mark: Mark
    ) -> None:
        route, now = self._routes[file.queue], datetime.now(UTC)
        fresh = (as_of(each, file.queue, now) for each in portion if not _taken_from(known, each))
        await self._publish(channel, (copy_of(each, COPIES) for each in fresh if each), route)
        await self._mark(mark)
        # What it says is stored is not looked for any more.
        await channel.purge(COPIES)
        known.clear()
        self.stored += len(portion)

    async def _mark(self, mark: Mark) -> None:
        await self._session.publisher.publish_copy(encode_mark(mark), exchange="", routing_key=MARKS)

    async def _publish(self, channel: Channel, messages: Iterable[Message], route: Route) -> None:
        confirms = [channel.publish(each, exchange=route.exchange, routing_key=route.routing_key) for each in messages]
        await asyncio.gather(*map(confirmed, confirms))


def _taken_from(known: Counter[Key], message: Message) -> bool:
    """Say whether a message is stored already, once for each time that it is."""
    if not known or known[key := key_of(message)] <= 0:
        return False
    known[key] -= 1
    return True
