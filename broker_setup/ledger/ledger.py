"""The ledger put together, for gateways and operators' commands: write events, and know what all of them come to."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from math import inf
from time import time

from broker_setup.errors import BrokerUnavailableError
from broker_setup.ledger.agreement import Agreement
from broker_setup.ledger.answers import Outcome
from broker_setup.ledger.events import AnyEvent
from broker_setup.ledger.frames import Frame
from broker_setup.ledger.heard import Heard
from broker_setup.ledger.heard import steady as steady_clock
from broker_setup.ledger.notes import Notes
from broker_setup.ledger.reader import LedgerReader
from broker_setup.ledger.state import LedgerState
from broker_setup.ledger.writer import LedgerWriter
from broker_setup.link.connection import Link
from broker_setup.link.publisher import Publisher
from broker_setup.process.coalesced import Coalesced
from broker_setup.process.deadlines import Deadlines

# Below the 3 s in which every caller has its answer.
RECORD_SECONDS = 2.5
Gone = Callable[[str, bytes], None]
Applied = Callable[[Frame, Sequence[Outcome]], None]


class Ledger:
    """Writes events, applies everybody's in the ledger's order, and tells what became of its own."""

    def __init__(
        self,
        *,
        link: Link,
        publisher: Publisher,
        state: LedgerState,
        window: float,
        name: str,
        clock: Callable[[], float] = time,
        steady: Callable[[], float] = steady_clock,
    ) -> None:
        self.state = state
        self._writer = LedgerWriter(publisher, name, clock)
        self._agreement = Agreement(name)
        self._clock = clock
        self._steady = steady
        self._known_until, self._delay = clock() - window, 0.0
        self._fresh_at = -inf  # by the steady clock: what is read from now on was written later than this
        self._reader = LedgerReader(link=link, writer=self._writer, apply=self._apply, window=window)
        self._notes = Notes(self._writer)
        self._barrier = Coalesced(self._reader.barrier)
        self._recording: dict[bytes, list[tuple[int, asyncio.Future[bool]]]] = {}
        self._deadlines = Deadlines(RECORD_SECONDS, _not_read)
        self._gone: Gone = _nobody_holds_it
        self._applied: Applied = _nobody_follows

    def on_gone(self, gone: Gone) -> None:
        """Have `gone(queue, submission)` called when a delivery of that submission is no longer wanted."""
        self._gone = gone

    def on_applied(self, applied: Applied) -> None:
        """Have `applied(frame, outcomes)` called for each frame once its events are applied, an outcome for each."""
        self._applied = applied

    @property
    def problem(self) -> str:
        """Why the ledger is not up to date; empty if it is."""
        return "" if self._reader.is_up_to_date else self._reader.problem

    @property
    def clock_problem(self) -> str:
        """Why nothing should be leased here: this machine's clock is wrong; empty if it agrees with the others'."""
        return self._agreement.problem(self._clock())

    @property
    def clock_ahead(self) -> float:
        """How far this machine's clock is ahead of most of those that write (seconds; negative: behind)."""
        return self._agreement.off(self._clock())

    @property
    def lag(self) -> float:
        """How far behind the ledger's end we are, in seconds, as far as its writers' clocks agree with ours.

        While it comes that is how long the last frame was on its way, else how old what we know is.
        """
        return max(0.0, self._delay if self._reader.is_up_to_date else self._clock() - self._known_until)

    @property
    def replay_seconds(self) -> float:
        """How long the last replay took, or has taken by now."""
        return self._reader.applying.replay_seconds

    @property
    def is_replay(self) -> bool:
        """Whether what is applied was written before this process knew the ledger."""
        return self._reader.applying.is_replay

    async def wait_up_to_date(self, seconds: float = RECORD_SECONDS) -> None:
        """Return once what the ledger holds is known; raise BrokerUnavailableError if that takes longer."""
        if not self._reader.is_up_to_date:
            await self._reader.wait_up_to_date(seconds)

    async def barrier(self) -> None:
        """Return when everything written before this call has been applied; raise BrokerUnavailableError.

        One marker serves all who ask at the same time: a stranger's thousand bad keys write no thousand of them.
        """
        await self._barrier()

    async def record(self, event: AnyEvent) -> bool:
        """Write an event, and say whether it was valid when its turn came in the ledger.

        Reading it back proves both that it is stored and what came before it. Raise BrokerUnavailableError if that
        takes too long: then the event may turn up in the ledger or not.
        """
        return await self.begin_to_record(event)

    def begin_to_record(self, event: AnyEvent) -> asyncio.Future[bool]:
        """Do the same for one who cannot wait: the future is done when `record` would return, or raise."""
        appended = self._writer.append(event)
        recorded: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        waiting = self._recording.get(appended.frame)
        if waiting is None:
            waiting = self._recording[appended.frame] = []
            self._reader.expect(appended.confirmed)
            appended.confirmed.add_done_callback(partial(self._failed, appended.frame))
        waiting.append((appended.index, recorded))
        self._deadlines.limit(recorded)
        return recorded

    def note(self, event: AnyEvent) -> None:
        """Write an event some time soon: one that changes nothing for whoever notes it."""
        self._notes.note(event)

    async def store(self, *events: AnyEvent) -> None:
        """Write events that must not get lost, and return once they are stored; raise BrokerUnavailableError.

        Whether they are valid does not matter to the caller. Without any, learn whether the ledger can be written.
        """
        await self._writer.store(*events)

    async def flush(self) -> None:
        """Write what was noted last, at the end of the process."""
        await self._notes.flush()

    async def read(self) -> None:
        """Read the ledger until cancelled."""
        await self._reader.run()

    async def write_notes(self) -> None:
        """Write what is noted until cancelled."""
        await self._notes.run()

    def _apply(self, frame: Frame) -> None:
        now, clock = self._steady(), self._clock()
        is_new = self._reader.is_up_to_date
        self._agreement.hear(frame.writer, frame.at, clock, late=not is_new)
        if frame.at:
            self._known_until, self._delay = frame.at, clock - frame.at
        if is_new:
            self._fresh_at = now
        heard = Heard(now, self._fresh_at)
        outcomes = [self.state.apply(event, heard) for event in frame.events]
        for index, recorded in self._recording.pop(frame.id, ()):
            if not recorded.done():
                recorded.set_result(outcomes[index].valid)
        for outcome in outcomes:
            for queue, submission in outcome.gone:
                self._gone(queue, submission)
        self._applied(frame, outcomes)

    def _failed(self, frame: bytes, confirmed: "asyncio.Future[None]") -> None:
        error = confirmed.exception()
        if error:
            for _, recorded in self._recording.pop(frame, ()):
                if not recorded.done():
                    recorded.set_exception(error)


def _not_read() -> BrokerUnavailableError:
    return BrokerUnavailableError("the ledger is not being read at the moment")


def _nobody_holds_it(queue: str, submission: bytes) -> None:
    """Do nothing: no queue listens yet."""


def _nobody_follows(frame: Frame, outcomes: Sequence[Outcome]) -> None:
    """Do nothing: nobody asked."""
