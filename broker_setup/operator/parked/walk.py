"""Walks over a parked queue: what is selected is handed over in small portions, all else stays, in its order."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from broker_setup.amqp.messages import Arrival
from broker_setup.link.connection import Link
from broker_setup.operator.intake import Intake, taking_in
from broker_setup.operator.parked.selection import Selection, Tally
from broker_setup.operator.portions import RateLimit, TurnSize, to_its_end
from broker_setup.topology import PARKED_EXCHANGE
from broker_setup.wire.parked import PARKED_QUEUES, Kind, ParkedMessage, read_parked


@dataclass(frozen=True, eq=False)
class Met:
    """A delivery that is selected, and what it says."""

    message: Arrival
    parked: ParkedMessage


# Does something with a portion; returns what of it may be acked.
Act = Callable[[Sequence[Met]], Awaitable[Sequence[Met]]]


class Walk:
    """One walk over what is parked, up to `limit` selected messages in all."""

    def __init__(
        self,
        source: Link,
        selection: Selection,
        limit: int | None,
        tally: Tally,
        progress: Callable[[Tally], None],
        *,
        although_told: bool,
        is_ours: Callable[[str | None], bool],
    ) -> None:
        """`progress` is called after each portion, with the `tally` that it fills.

        `is_ours` says of a message's user whether it is a service of XQueue. Unless it is done `although_told`, what
        has a student who was told is counted, and not selected.
        """
        self._source = source
        self._selection = selection
        self._limit = limit
        self._tally = tally
        self._progress = progress
        self._although_told = although_told
        self._is_ours = is_ours

    async def through(self, kind: Kind, act: Act, limit: RateLimit) -> None:
        """Walk over what is ready in one queue now; what is parked meanwhile, by our own redrive say, is not met.

        Raise BrokerUnavailableError if the broker is lost; what was not acked is then parked as it was.
        """
        turns = TurnSize()
        async with taking_in(self._source) as intake:
            self._tally.ready += await intake.open(PARKED_QUEUES[kind])
            while intake.left and not self._is_enough():
                if not (batch := await intake.take(min(turns.next, intake.left))):
                    self._tally.missed += intake.left
                    break
                turns.took(batch)
                await self._take(batch, kind, act, limit, intake)

    async def _take(self, batch: Sequence[Arrival], kind: Kind, act: Act, limit: RateLimit, intake: Intake) -> None:
        selected = self._select(batch, kind)
        for start in range(0, len(selected), limit.portion):
            portion = selected[start : start + limit.portion]
            await limit.wait(len(portion))
            await to_its_end(_settle(portion, act, intake))
            self._progress(self._tally)
        self._progress(self._tally)

    def _select(self, batch: Sequence[Arrival], kind: Kind) -> list[Met]:
        selected, now = [], datetime.now(UTC)
        for message in batch:
            parked = read_parked(message, kind, ours=self._is_written_by_us(message, kind))
            self._tally.seen += 1
            if not self._selection.takes(parked) or self._is_enough():
                continue
            self._tally.told += (told := parked.is_told(now))
            if self._although_told or not told:
                self._tally.add(parked)
                selected.append(Met(message, parked))
        return selected

    def _is_written_by_us(self, message: Arrival, kind: Kind) -> bool:
        # No grader may write to that exchange, or submissions. What the broker moved is as it was published.
        return kind is Kind.SUBMISSION or message.exchange == PARKED_EXCHANGE or self._is_ours(message.user_id)

    def _is_enough(self) -> bool:
        return self._limit is not None and self._tally.selected >= self._limit


async def _settle(portion: Sequence[Met], act: Act, intake: Intake) -> None:
    await intake.ack([each.message for each in await act(portion)])
