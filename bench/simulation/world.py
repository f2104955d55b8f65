"""A relay's schedule and verdicts at work on a broker that is made up: one queue, the rungs, a clock that jumps."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from itertools import count
from random import Random

from bench.simulation.lms import LMS
from broker_setup.wire.results import NO_TRIES, Tries
from callback_relay.job import Identity, Job
from callback_relay.ladder import Ladder
from callback_relay.orders import Order, Post
from callback_relay.outcome import Outcome
from callback_relay.schedule import Schedule
from callback_relay.verdict import Delivered, Park, Patience, Retry, Verdict, judge

ORIGIN = "http://lms"
RUNGS = (1.0, 5.0, 30.0, 120.0, 600.0, 3600.0, 10800.0)
# As the settings have it by default.
ROOM, PER_ORIGIN = 256, 32
PATIENCE = Patience(refusals=5, seconds=3 * 24 * 3600.0)
SUPERSEDE_MIN_AGE = 2.0
# From an order until the broker has it: a confirmed copy, and an ack.
SETTLE_SECONDS = 0.003
# A 1970 of the simulation's own.
EPOCH = 1_700_000_000.0


@dataclass(frozen=True)
class Message:
    """A result in the broker."""

    identity: Identity
    url: str
    origin: str
    queue: str
    put_at: float
    tries: Tries = NO_TRIES


@dataclass
class Outcomes:
    """What became of the results, by their identities; all times in seconds from the beginning."""

    put_at: dict[Identity, float] = field(default_factory=dict)
    delivered_at: dict[Identity, float] = field(default_factory=dict)
    parked: dict[Identity, Park] = field(default_factory=dict)
    given_up: list[Identity] = field(default_factory=list)
    posts: list[tuple[float, Message]] = field(default_factory=list)
    rung_waits: int = 0

    def latencies(self, of: Iterable[Identity]) -> list[float]:
        """Return how long each took; one that did not arrive took for ever."""
        return sorted(self.delivered_at.get(each, float("inf")) - self.put_at[each] for each in of)


class World:
    """Put results into it, and let time go by."""

    def __init__(
        self,
        lms: Mapping[str, LMS],
        *,
        rungs: Sequence[float] = RUNGS,
        patience: Patience = PATIENCE,
        room: int = ROOM,
        tick: float = 0.25,
        seed: int = 1,
    ) -> None:
        """Have an LMS for each origin."""
        self.now = 0.0
        self.outcomes = Outcomes()
        self._lms = lms
        self._patience = patience
        self._ladder = Ladder(rungs)
        self._chance = Random(seed).random
        self.schedule: Schedule[Job] = Schedule(
            self._ladder,
            patience,
            room=room,
            per_origin=PER_ORIGIN,
            chance=self._chance,
            wall=self._wall,
            outdates_after=lambda _: SUPERSEDE_MIN_AGE,
        )
        self._room = room
        self._queue: deque[Message] = deque()
        self._unacked: dict[Job, Message] = {}
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._ticks_every = tick
        self._tick()

    @property
    def waiting(self) -> int:
        """Say how many results the relay has no room for."""
        return len(self._queue)

    def put(self, url: str, *, at: float | None = None, origin: str = ORIGIN, queue: str = "openedx") -> Identity:
        """Let a new submission's result come; return who it is."""
        return self.put_again(f"submission {next(self._numbers)}", url, at=at, origin=origin, queue=queue)

    def put_again(
        self,
        submission: str,
        url: str,
        *,
        at: float | None = None,
        origin: str = ORIGIN,
        queue: str = "openedx",
        amendment: int = 0,
    ) -> Identity:
        """Let a result of this submission come, its first or a further one."""
        identity = Identity(submission, amendment, 0)
        at = self.now if at is None else at
        message = Message(identity, f"{origin}/{url}", origin, queue, at)
        self.outcomes.put_at[identity] = at
        self._at(at, lambda: self._come(message))
        return identity

    def run(self, until: float) -> Outcomes:
        """Let time go by until then."""
        while self._events and self._events[0][0] <= until:
            self.now, _, happen = heappop(self._events)
            happen()
        self.now = until
        return self.outcomes

    def _at(self, when: float, happen: Callable[[], None]) -> None:
        heappush(self._events, (when, next(self._numbers), happen))

    def _wall(self) -> float:
        return EPOCH + self.now

    def _tick(self) -> None:
        self._obey(self.schedule.tick(self.now))
        self._at(self.now + self._ticks_every, self._tick)

    def _come(self, message: Message) -> None:
        self._queue.append(message)
        self._pump()

    def _pump(self) -> None:
        while self._queue and len(self._unacked) < self._room:
            message = self._queue.popleft()
            job = Job(
                message.identity,
                message.url,
                message.origin,
                message.queue,
                message.tries,
                EPOCH + message.put_at,
                EPOCH + message.put_at,
            )
            self._unacked[job] = message
            self._obey(self.schedule.arrive(job, self.now))

    def _obey(self, orders: Iterable[Order[Job]]) -> None:
        for order in orders:
            if isinstance(order, Post):
                self._post(order.job)
            else:
                self._settle(order.job, order.verdict, lambda: None)

    def _post(self, job: Job) -> None:
        self.outcomes.posts.append((self.now, self._unacked[job]))
        outcome, seconds = self._lms[job.origin](job, self.now)
        self._at(self.now + seconds, lambda: self._answered(job, outcome))

    def _answered(self, job: Job, outcome: Outcome) -> None:
        ruling, at = self.schedule.outcome(job, outcome, self.now), self.now
        verdict = judge(
            outcome, ruling, job.tries, self._ladder, self._patience, now=self._wall(), chance=self._chance()
        )
        if isinstance(verdict, Retry):
            self._obey(self.schedule.ended(job, verdict, at))
            self._settle(job, verdict, lambda: None)
        else:
            self._settle(job, verdict, lambda: self._obey(self.schedule.ended(job, verdict, at)))

    def _settle(self, job: Job, verdict: Verdict, then: Callable[[], None]) -> None:
        def settled() -> None:
            message = self._unacked.pop(job)
            match verdict:
                case Delivered():
                    self.outcomes.delivered_at[job.identity] = self.now
                case Retry(delay, tries):
                    self.outcomes.rung_waits += 1
                    again = replace(message, tries=tries)
                    self._at(self.now + delay, lambda: self._come(again))
                case Park():
                    self.outcomes.parked[job.identity] = verdict
                case _:
                    self.outcomes.given_up.append(job.identity)
            then()
            self._pump()

        self._at(self.now + SETTLE_SECONDS, settled)
