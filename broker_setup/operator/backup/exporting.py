"""Makes an export: the ledger, then everything that lies in a queue, read and put back, while all processes go on."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic, time
from uuid import uuid4

from broker_setup.amqp.messages import Arrival
from broker_setup.errors import BadMessageError, BrokerUnavailableError, ManagementError
from broker_setup.ledger.events import Act, Acted, AnyEvent
from broker_setup.ledger.frames import Frame, decode_frame, encode_frame
from broker_setup.link.broker_calls import broker_calls, close_channel
from broker_setup.operator.backup.captured import Captured, Found, captured
from broker_setup.operator.backup.choosing import choose
from broker_setup.operator.backup.definitions import DEFINITIONS
from broker_setup.operator.backup.manifest import VERSION, Manifest, secrets_named, signed
from broker_setup.operator.backup.plan import beyond_courses
from broker_setup.operator.backup.records import line_of
from broker_setup.operator.backup.under_way import UnderWay
from broker_setup.operator.backup.writing import ExportFolder
from broker_setup.operator.copies import Key, key_of
from broker_setup.operator.intake import taking_in
from broker_setup.operator.ledger_frames import OFFSET_HEADER, as_published, frames_up_to_now, says_something
from broker_setup.operator.management_api import management_api
from broker_setup.operator.portions import TurnSize
from broker_setup.operator.session import Session
from broker_setup.process.command_line import our_version
from broker_setup.settings import Settings
from broker_setup.topology import CHECKED_QUEUE, LEDGER, RESULTS_QUEUE, submissions_queue

# A gateway that is told to hand back has done so after some milliseconds, and consumes again 200 ms later. What is back
# before all is read keeps its place in the queue. So often it is looked, and so long after each.
LOOKS = 8
LOOK_SECONDS = 0.02
# Where something is missing we wait for longer for what comes back: whoever consumes before all others gets it.
LISTEN_SECONDS = 0.5
# What a relay has under way it has delivered by then; what it holds longer is a sick LMS's, while that is sick.
RELAY_SECONDS = 3.0
FIRST_PAUSE_SECONDS = 0.2
MAX_PAUSE_SECONDS = 5.0


class Export:
    """One run of the command, over `queues` in this order."""

    def __init__(
        self,
        settings: Settings,
        queues: Sequence[str],
        folder: ExportFolder,
        definitions: bytes,
        tell: Callable[[str, int], None],
    ) -> None:
        """`tell` is called with what is read, and how much of it so far."""
        self._definitions = definitions
        self._settings = settings
        self._queues = queues
        self._folder = folder
        self._tell = tell
        self._session = Session(settings, "xqueue-broker export")
        self._met: list[Captured] = []
        self._keys: set[Key] = set()
        self._found = Found()
        self._offset = 0
        self._meanwhile: list[Frame] = []
        self._under_way = UnderWay(time())

    async def run(self, *, wait: float, by: str) -> Manifest:
        """Export; what is with others is waited for, `wait` seconds at the most.

        Raise BrokerUnavailableError or StorageError; then there is no export.
        """
        async with self._session.open(read_ledger=False):
            await self._session.claim()
            with self._folder.writing(LEDGER):
                began = datetime.now(UTC)
                self._under_way = UnderWay(began.timestamp())
                await self._read_ledger()
                under_way = self._under_way.by_queue()
                for queue in self._queues:
                    course = queue.removeprefix(submissions_queue(""))
                    if number := course != queue and under_way[course]:
                        await self._have_handed_back(course, number, by)
                    await self._walk(queue)
                missing = await self._wait_for_the_rest(monotonic() + wait, by)
                return await asyncio.to_thread(self._finish, began, missing)

    async def _read_ledger(self) -> None:
        async for frame in frames_up_to_now(self._session):
            self._note_offset(frame)
            if says_something(frame.body):
                self._folder.ledger.add(line_of(as_published(frame)))
                self._under_way.take_before(_events(frame))
                self._tell(LEDGER, self._folder.ledger.lines)

    async def _read_on(self) -> None:
        async for arrival in frames_up_to_now(self._session, self._offset):
            self._note_offset(arrival)
            try:
                frame = decode_frame(arrival.body)
            except BadMessageError:
                continue
            self._meanwhile.append(frame)
            self._under_way.take_meanwhile(frame.events)

    def _note_offset(self, frame: Arrival) -> None:
        self._offset = int(frame.headers[OFFSET_HEADER]) + 1

    async def _have_handed_back(self, course: str, number: int, by: str) -> None:
        """Have gateways hand back what they hold of a course's queue, where `number` submissions may be in all."""
        await self._session.ledger.store(Acted(time(), b"", Act.EXPORTED, by, course))
        with broker_calls("the queue could not be looked at"):
            channel = await self._session.source.channel()
            for _ in range(LOOKS):
                if await channel.count_ready(submissions_queue(course)) >= number:
                    break
                await asyncio.sleep(LOOK_SECONDS)
            await close_channel(channel)

    async def _walk(self, queue: str, *, at_least: float = 0.0) -> None:
        """Read what is ready, and what comes for `at_least` seconds; then all of it goes back, in its order."""
        until, turns, seen = monotonic() + at_least, TurnSize(), Counter[Key]()
        async with taking_in(self._session.source, first=True) as intake:
            await intake.open(queue)
            while (left := intake.left) or monotonic() < until:
                most = min(turns.next, left or turns.next)
                batch = await intake.take(most) if left else await intake.take(most, within=until - monotonic())
                if left and not batch:
                    break  # others have it
                turns.took(batch)
                for message in batch:
                    self._meet(queue, message, seen)
                self._tell(queue, len(self._met))

    def _meet(self, queue: str, message: Arrival, seen: Counter[Key]) -> None:
        key = key_of(message)
        # Two that are the same in all are two; one that is met again in another walk is one.
        seen[key] += 1
        key += seen[key].to_bytes(4)
        if (queue_key := queue.encode() + key) in self._keys:
            return
        self._keys.add(queue_key)
        found = captured(message, queue, self._folder.add(queue, line_of(message)), key)
        self._met.append(found)
        self._found.add(found)

    async def _wait_for_the_rest(self, deadline: float, by: str) -> dict[str, str]:
        """Return what has not come by then: uuids, each with its course queue."""
        pause, began = FIRST_PAUSE_SECONDS, monotonic()
        while True:
            # What the relay had in hand is where it goes to, or delivered.
            for queue in beyond_courses(self._queues):
                await self._walk(queue)
            await self._read_on()
            missing = dict(self._under_way.missing(self._found))
            if not missing or monotonic() >= deadline:
                return {submission.hex(): queue for submission, queue in missing.items()}
            self._tell("waiting for what others hold", len(missing))
            await self._look_again(Counter(missing.values()), by)
            if monotonic() - began > RELAY_SECONDS:
                await self._have_relay_hand_back()
            await asyncio.sleep(min(pause, max(0.0, deadline - monotonic())))
            pause = min(2 * pause, MAX_PAUSE_SECONDS)

    async def _look_again(self, missing: Counter[str], by: str) -> None:
        """Have gateways hand back what they hold of these course queues, and look at all that comes then."""
        for course, number in missing.items():
            if (queue := submissions_queue(course)) in self._queues:
                await self._have_handed_back(course, number, by)
                await self._walk(queue, at_least=LISTEN_SECONDS)

    async def _have_relay_hand_back(self) -> None:
        """Have the relay's connection closed, where the management API is there to do it, and read what comes back.

        It connects again at once, and knows what it has delivered.
        """
        management = management_api(self._settings)
        if management is None:
            return
        with management as api, suppress(ManagementError, BrokerUnavailableError):  # then it stays missing
            await asyncio.gather(
                *(self._walk(queue, at_least=2 * LISTEN_SECONDS) for queue in (RESULTS_QUEUE, CHECKED_QUEUE)),
                asyncio.to_thread(api.close_consumers, {RESULTS_QUEUE, CHECKED_QUEUE}),
            )

    def _finish(self, began: datetime, missing: dict[str, str]) -> Manifest:
        chosen = choose(self._met, self._under_way)
        for frame in self._meanwhile:
            if events := [told for event in frame.events if (told := chosen.told(event))]:
                kept = encode_frame(Frame(frame.id, frame.writer, events, frame.at))
                self._folder.ledger.add(line_of(kept))
        files = [self._folder.ledger.close(), *self._folder.choose(chosen.lines)]
        files.append(self._folder.write(DEFINITIONS, self._definitions))
        manifest = Manifest(
            VERSION,
            uuid4().hex,
            our_version(),
            began.isoformat(timespec="milliseconds"),
            datetime.now(UTC).isoformat(timespec="milliseconds"),
            secrets_named(self._settings.secrets),
            files,
            missing,
        )
        manifest = signed(manifest, self._settings.secrets[0])
        self._folder.finish(manifest)
        return manifest


def _events(frame: Arrival) -> Sequence[AnyEvent]:
    try:
        return decode_frame(frame.body).events
    except BadMessageError:
        return ()
