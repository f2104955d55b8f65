"""One course queue as this gateway serves it: deliveries in, leases out."""

from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic, time

from broker_setup.errors import BrokerUnavailableError
from broker_setup.ledger.heard import steady as steady_clock
from broker_setup.ledger.ledger import Ledger
from broker_setup.link.connection import Link
from broker_setup.link.pauses import Pauses
from broker_setup.parking import Parking
from broker_setup.topology import submissions_queue
from broker_setup.wire.return_address import Sealer
from gateway.leasing.consumer import SubmissionsConsumer
from gateway.leasing.deadline import Patience
from gateway.leasing.deliveries import Deliveries, Waiting
from gateway.leasing.handing_out import HandingOut, Handout
from gateway.leasing.holding import Holding
from gateway.leasing.lease_decision import Terms
from gateway.leasing.returns import Returns

# A poll of a cold queue waits for the first delivery, less than the one second that some graders have for everything.
FIRST_DELIVERY_SECONDS = 0.25
# A poll that could not even start a consumer is told so within the 3 s in which every caller has its answer.
BROKER_SECONDS = 2.5
# A long poll notices within this time that the broker has gone.
LOOK_AGAIN_SECONDS = 0.5
# What the return addresses of a queue's running leases may take in the memory of each gateway: 100,000 of an Open
# edX's, or 600 of the largest.
MAX_SEALED_BYTES = 64 * 1024 * 1024


# Says whether there is room for an answer of so many bytes; if so, takes it in place of what was taken before.
Fits = Callable[[int], bool]


class TooMuchLeasedError(BrokerUnavailableError):
    """Nothing more of a queue is handed out until some of what is leased has ended or run out."""

    def __init__(self, queue: str) -> None:
        super().__init__(f"the return addresses of what is leased in queue {queue} are over {MAX_SEALED_BYTES} bytes")


class NoRoomForAnswerError(BrokerUnavailableError):
    """Nothing large is handed out to this caller until some of what was handed out before has been read."""

    def __init__(self, queue: str) -> None:
        super().__init__(f"the answers that nobody has read yet leave no room for what waits in queue {queue}")


class CourseQueue:
    """Hands out the submissions of one course queue, each to one grader at a time."""

    def __init__(
        self,
        name: str,
        *,
        link: Link,
        ledger: Ledger,
        sealer: Sealer,
        parking: Parking,
        returns: Returns,
        pauses: Pauses,
        processing_delay: float,
        max_attempts: int,
        clock: Callable[[], float] = time,
        steady: Callable[[], float] = steady_clock,
    ) -> None:
        self.name = name
        self._ledger = ledger
        self._state = ledger.state
        self._steady = steady
        self._patience = Patience()
        self._deliveries = Deliveries()
        self.held = Holding(name, self._deliveries, ledger=ledger, parking=parking, clock=clock, steady=steady)
        self._handing_out = HandingOut(
            name,
            self.held,
            ledger=ledger,
            sealer=sealer,
            returns=returns,
            terms=Terms(processing_delay, max_attempts),
            clock=clock,
        )
        self._consumer = SubmissionsConsumer(
            link,
            submissions_queue(name),
            self._deliveries,
            received=self.held.received,
            give_back=self.held.give_back,
            is_paused=partial(pauses.is_paused, name),
        )
        self._pauses = pauses

    async def run(self) -> None:
        """Serve until cancelled."""
        await self._consumer.run()

    @property
    def waiting_here(self) -> int:
        """How many unleased submissions this gateway has in memory: no longer ready in the broker, yet waiting."""
        return len(self._deliveries)

    @property
    def held_here(self) -> int:
        """How many submissions this gateway holds, those that are leased with those that wait."""
        return self._deliveries.held

    @property
    def polls_waiting(self) -> int:
        """How many polls wait for a submission."""
        return self._deliveries.buffered().waiting

    async def take(
        self, limit: int = 1, wait: float = 0.0, *, fits: Fits = lambda _: True, grader: str = ""
    ) -> list[Handout]:
        """Lease up to `limit` submissions, waiting up to `wait` seconds for the first; none if none comes.

        `grader` is the account that gets them. `fits` is asked before whether there is room for an answer that takes so
        many bytes of memory in all. Raise BrokerUnavailableError if the broker or the ledger could not be asked,
        NoRoomForAnswerError if not even one fits.
        """
        with self._patience.in_time(extra=wait):
            return await self._take(limit, wait, fits, grader)

    async def _take(self, limit: int, wait: float, fits: Fits, grader: str) -> list[Handout]:
        await self._ledger.wait_up_to_date()
        if problem := self._ledger.clock_problem:
            raise BrokerUnavailableError(problem)
        if self._state.sealed_in(self.name, self._steady()) > MAX_SEALED_BYTES:
            raise TooMuchLeasedError(self.name)
        start = monotonic()
        self._consumer.demand(limit)
        first_at = None
        while True:
            now, paused = monotonic(), self._consumer.pause.is_paused_lately
            buffered = 0 if paused else len(self._deliveries)
            if buffered:
                # Others that the broker has follow the first at once.
                first_at = first_at or now
                until = min(self._consumer.hopeful_until, first_at + FIRST_DELIVERY_SECONDS)
                if buffered >= limit or now >= until:
                    chosen = self._chosen(limit, fits)
                    self._consumer.nudge()
                    handouts = await self._handing_out.lease(chosen, grader)
                    if handouts:
                        return handouts
                    continue
            else:
                first_at = None
                until = start + wait if paused else self._patient_until(start, wait)
                if now >= until:
                    if not (paused or self._consumer.is_consuming):
                        raise BrokerUnavailableError(self._consumer.failure)
                    return []
            await self._deliveries.wait(min(until - now, LOOK_AGAIN_SECONDS))

    def steered(self) -> None:
        """Note that an operator has just paused the queue, or lets it go on."""
        self._pauses.declared(self.name)
        self._consumer.look_again()

    def hand_back(self) -> None:
        """Let all that is held go back to the broker, as when its channel is lost; what is wanted comes again."""
        if self._deliveries.held or self._consumer.is_consuming:
            self._consumer.hand_back()

    def submitted(self) -> None:
        """Note that a submission was accepted just now: a poll waits a moment for its delivery."""
        self._consumer.expect()

    def take_back(self, handouts: Sequence[Handout]) -> None:
        """Release leases at once, as whoever asked has gone."""
        self._handing_out.take_back(handouts)

    def _patient_until(self, start: float, wait: float) -> float:
        if not self._consumer.is_consuming:
            return max(start, self._consumer.stopped_at) + BROKER_SECONDS
        first_delivery = min(start + FIRST_DELIVERY_SECONDS, self._consumer.hopeful_until)
        return max(start + wait, first_delivery)

    def _chosen(self, limit: int, fits: Fits) -> list[Waiting]:
        chosen: list[Waiting] = []
        size = 0
        while len(chosen) < limit and (waiting := self._deliveries.first()):
            size += waiting.work
            if not fits(size):
                if not chosen:
                    raise NoRoomForAnswerError(self.name)
                break
            self._deliveries.withdraw(waiting.id)
            chosen.append(waiting)
        return chosen
