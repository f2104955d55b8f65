"""Holds back the notices of what an operator redrives or discards: while they are held they can't go out."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from broker_setup.amqp.errors import NOT_FOUND, ChannelClosedError
from broker_setup.amqp.messages import Arrival
from broker_setup.link.connection import Link
from broker_setup.operator.intake import Intake, taking_in
from broker_setup.wire.parked import Kind, ParkedMessage, read_parked

# Notices are small; of each only where it is held is kept.
TURN = 500


@dataclass(frozen=True)
class Held:
    """A notice that was taken out: its delivery, and how often what it is about had been redriven before."""

    intake: Intake
    tag: int
    redriven: int


class PendingNotices:
    """The notices that have not gone out yet; what is not dropped goes back, in order, when the block ends.

    A queue is taken in when the first message is met that names it: its notice was stored before that message was.
    """

    def __init__(self, source: Link, stack: AsyncExitStack) -> None:
        self._source = source
        self._stack = stack
        self._taken: set[str] = set()
        self._held: dict[str, list[Held]] = defaultdict(list)
        self.missed = 0

    async def take_in(self, queues: Iterable[str]) -> None:
        """Hold all that wait in these queues; those that are gone have none."""
        for name in sorted(set(queues) - self._taken):
            self._taken.add(name)
            intake = await self._stack.enter_async_context(taking_in(self._source))
            try:
                await intake.open(name)
            except ChannelClosedError as error:
                if error.code == NOT_FOUND:
                    continue
                raise
            while intake.left and (batch := await intake.take(TURN)):
                for message in batch:
                    self._hold(intake, message)
            self.missed += intake.left

    def of(self, parked: ParkedMessage) -> list[Held]:
        """Return the notices of that parking, and of earlier ones of the same."""
        return [held for held in self._held[parked.correlation_id] if held.redriven <= parked.redriven]

    async def drop(self, portion: Iterable[ParkedMessage]) -> None:
        """Let the notices of some messages go for good: their students are not told."""
        by_intake: dict[Intake, list[int]] = defaultdict(list)
        for parked in portion:
            for held in self.of(parked):
                self._held[parked.correlation_id].remove(held)
                by_intake[held.intake].append(held.tag)
        for intake, tags in by_intake.items():
            await intake.ack_tags(sorted(tags))

    def _hold(self, intake: Intake, message: Arrival) -> None:
        notice = read_parked(message, Kind.RESULT)
        self._held[notice.correlation_id].append(Held(intake, message.delivery_tag or 0, notice.redriven))


@asynccontextmanager
async def pending_notices(source: Link) -> AsyncIterator[PendingNotices]:
    """Hold notices for as long as the block runs; raise BrokerUnavailableError if the broker is lost."""
    async with AsyncExitStack() as stack:
        yield PendingNotices(source, stack)
