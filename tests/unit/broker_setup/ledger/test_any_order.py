"""Several gateways over one ledger, in any order of events, deliveries, crashes and delays, keep their promises.

A gateway decides on what it has read so far, which may be old; what it writes reaches the ledger later, or never; and
it acts only once it has read its own event back. All of that is played here, without a broker and with one clock.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from broker_setup.ledger.answers import Outcome, Refusal, Standing, Take
from broker_setup.ledger.events import (
    Amended,
    AnyEvent,
    Extended,
    Graded,
    Leased,
    Parked,
    Released,
    Retired,
    Submitted,
    Superseded,
)
from broker_setup.ledger.state import LedgerState
from tests.support.examples import examples
from tests.support.ledger_events import (
    amended,
    expired,
    extended,
    graded,
    id_of,
    leased,
    parked,
    released,
    retired,
    snapshot,
    submitted,
    superseded,
    uuid_of,
)

DELAY = 60.0
MIN_AGE = 2.0
# No grader gives back in the very moment in which it was given.
A_MOMENT = 0.001
GATEWAYS = (0, 1, 2)
MAX_SUBMISSIONS = 4
URLS = ("https://lms/1", "https://lms/2")
QUEUES = ("openedx", "other")
which = st.sampled_from(GATEWAYS)


def new_state() -> LedgerState:
    return LedgerState()


def replayed(log: Sequence[AnyEvent], times: int = 1) -> LedgerState:
    state = new_state()
    for _ in range(times):
        for event in log:
            state.apply(event)
    return state


@dataclass
class Gateway:
    """What a gateway has: its copy of the state, the deliveries it holds, and what it has not written yet."""

    state: LedgerState = field(default_factory=new_state)
    read: int = 0
    held: set[int] = field(default_factory=set)
    outbox: list[AnyEvent] = field(default_factory=list)
    mine: set[int] = field(default_factory=set)  # indexes in the ledger of what this life of it has written


@dataclass
class Grader:
    """What a grader was told."""

    number: int
    key: str
    until: float
    gave_up: bool = False


class Gateways(RuleBasedStateMachine):
    """Three gateways, one ledger, one queue of deliveries."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.log: list[AnyEvent] = []
        self.truth = new_state()
        self.gateways = [Gateway() for _ in GATEWAYS]
        self.ready: list[int] = []
        self.acked: set[int] = set()
        self.submissions: list[tuple[str, str]] = []
        self.submits: list[AnyEvent] = []
        self.asked: dict[bytes, Grader] = {}
        self.graders: list[Grader] = []  # those who were given something
        # What the oracle knows, written down independently of LedgerState.
        self.lease_of: dict[bytes, tuple[bytes, float]] = {}
        self.ended: Counter[bytes] = Counter()
        self.settled_by: dict[bytes, bytes] = {}
        self.results_of: dict[bytes, list[bytes]] = {}

    # The LMS and the broker.

    @precondition(lambda self: len(self.submissions) < MAX_SUBMISSIONS)
    @rule(url=st.sampled_from(URLS), queue=st.sampled_from(QUEUES), g=which)
    def submit(self, url: str, queue: str, g: int) -> None:
        number = len(self.submissions) + 1
        self.submissions.append((url, queue))
        self.ready.append(number)
        self.submits.append(submitted(number, self.now, url=url, queue=queue))
        self.gateways[g].outbox.append(self.submits[-1])

    @precondition(lambda self: self.submits)
    @rule(g=which, data=st.data())
    def submit_noted_twice(self, g: int, data: st.DataObject) -> None:
        self.gateways[g].outbox.append(data.draw(st.sampled_from(self.submits)))

    @rule(g=which)
    def channel_closes(self, g: int) -> None:
        self._return_all(self.gateways[g])

    @rule(g=which, data=st.data())
    def crash_and_replay(self, g: int, data: st.DataObject) -> None:
        gateway = self.gateways[g]
        self._return_all(gateway)
        self._write(gateway, data.draw(st.integers(0, len(gateway.outbox))))
        self.gateways[g] = Gateway(replayed(self.log), read=len(self.log))

    @rule(seconds=st.sampled_from([0.5, 3.0, DELAY]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    # The ledger.

    @precondition(lambda self: any(gateway.outbox for gateway in self.gateways))
    @rule(data=st.data())
    def write(self, data: st.DataObject) -> None:
        gateway = data.draw(st.sampled_from([gateway for gateway in self.gateways if gateway.outbox]))
        self._write(gateway, data.draw(st.integers(1, len(gateway.outbox))))

    @precondition(lambda self: any(gateway.read < len(self.log) for gateway in self.gateways))
    @rule(data=st.data())
    def read(self, data: st.DataObject) -> None:
        gateway = data.draw(st.sampled_from([gateway for gateway in self.gateways if gateway.read < len(self.log)]))
        self._read(gateway, data.draw(st.integers(1, len(self.log) - gateway.read)))

    @precondition(lambda self: any(gateway.outbox for gateway in self.gateways))
    @rule(order=st.permutations(GATEWAYS))
    def everybody_writes_and_reads(self, order: Sequence[int]) -> None:
        for g in order:
            self._write(self.gateways[g], len(self.gateways[g].outbox))
        for g in order:
            self._read(self.gateways[g], len(self.log))

    # What gateways do for graders and for time.

    @precondition(lambda self: self.submissions)
    @rule(g=which, data=st.data())
    def poll(self, g: int, data: st.DataObject) -> None:
        gateway = self.gateways[g]
        number = self._received(gateway, data)
        if number and gateway.state.standing(uuid_of(number), self.now) is Standing.FREE:
            url, queue = self.submissions[number - 1]
            key = f"key {len(self.asked) + 1}"
            event = leased(number, self.now, key, until=self.now + DELAY, url=url, queue=queue)
            self.asked[event.key] = Grader(number, key, event.expires_at)
            gateway.outbox.append(event)

    @rule(g=which)
    def leases_run_out(self, g: int) -> None:
        gateway = self.gateways[g]
        for number in sorted(gateway.held):
            lease = gateway.state.lease_of(uuid_of(number))
            if lease and lease.expires_at <= self.now:
                gateway.held.remove(number)
                self.ready.append(number)
                gateway.outbox.append(expired(number, self.now, "any"))

    @precondition(lambda self: self.graders)
    @rule(g=which, data=st.data(), digest=st.sampled_from([b"one", b"two"]))
    def put_result(self, g: int, data: st.DataObject, digest: bytes) -> None:
        grader, gateway = data.draw(st.sampled_from(self.graders)), self.gateways[g]
        match gateway.state.may_take(id_of(grader.number), grader.key, digest, self.now):
            case Take(lease, amendment=0):
                assert lease.submission == uuid_of(grader.number)
                url, queue = self.submissions[grader.number - 1]
                gateway.outbox.append(graded(grader.number, self.now, grader.key, digest, url=url, queue=queue))
            case Take(_, amendment):
                gateway.outbox.append(amended(grader.number, self.now, grader.key, digest, amendment))
            case Refusal():
                pass

    @precondition(lambda self: self.graders)
    @rule(g=which, data=st.data())
    def extend(self, g: int, data: st.DataObject) -> None:
        grader = data.draw(st.sampled_from(self.graders))
        self.gateways[g].outbox.append(extended(grader.number, self.now, grader.key, self.now + DELAY))

    @precondition(lambda self: self.graders)
    @rule(g=which, data=st.data(), delay=st.sampled_from([0.0, 10.0]))
    def release(self, g: int, data: st.DataObject, delay: float) -> None:
        grader = data.draw(st.sampled_from(self.graders))
        grader.gave_up = True
        self.now += A_MOMENT
        event = released(grader.number, self.now, grader.key, available_at=self.now + delay)
        self.gateways[g].outbox.append(event)

    @precondition(lambda self: self.submissions)
    @rule(g=which, data=st.data(), out=st.sampled_from([parked, retired]))
    def take_it_out_ungraded(self, g: int, data: st.DataObject, out: Callable[..., AnyEvent]) -> None:
        """An operator retires it, or it has failed too often: whoever holds it and finds it free may do that."""
        gateway = self.gateways[g]
        number = self._received(gateway, data)
        if number and gateway.state.standing(uuid_of(number), self.now) is Standing.FREE:
            url, queue = self.submissions[number - 1]
            gateway.outbox.append(out(number, self.now, url=url, queue=queue))

    # What is promised.

    @invariant()
    def nobody_works_beside_another(self) -> None:
        working = Counter(grader.number for grader in self.graders if grader.until > self.now and not grader.gave_up)
        assert not [number for number, graders in working.items() if graders > 1]

    @invariant()
    def nothing_is_settled_twice_or_leaves_in_two_ways(self) -> None:
        assert all(times == 1 for times in self.ended.values())

    @invariant()
    def only_what_the_ledger_closed_has_left_its_queue(self) -> None:
        for number in self.acked:
            assert self.truth.standing(uuid_of(number), self.now) is Standing.CLOSED

    @invariant()
    def what_is_not_closed_is_somewhere(self) -> None:
        somewhere = set(self.ready).union(*(gateway.held for gateway in self.gateways))
        for number in range(1, len(self.submissions) + 1):
            assert (number in somewhere) != (number in self.acked)

    @invariant()
    def superseded_counts_are_never_negative_nor_more_than_there_are(self) -> None:
        for gateway in self.gateways:
            for queue in QUEUES:
                there = sum(queue == of for _, of in self.submissions)
                assert 0 <= gateway.state.superseded_in(queue) <= there

    @invariant()
    def what_is_expected_to_wait_is_what_was_submitted_and_is_free(self) -> None:
        submitted_ones = {event.submission for event in self.log if isinstance(event, Submitted)}
        if any(uuid not in submitted_ones for uuid in self.lease_of):
            return  # a lease whose submission is not in the ledger yet
        for queue in QUEUES:
            free = sum(
                self.truth.standing(uuid_of(number), self.now) is Standing.FREE
                for number, (_, of) in enumerate(self.submissions, 1)
                if queue == of and uuid_of(number) in submitted_ones
            )
            assert self.truth.expected_in(queue, self.now) == free

    @rule(g=which)
    def whoever_has_read_the_same_knows_the_same(self, g: int) -> None:
        gateway = self.gateways[g]
        assert snapshot(gateway.state) == snapshot(replayed(self.log[: gateway.read]))

    @rule(prefix=st.integers(0, 100))
    def reading_twice_changes_nothing(self, prefix: int) -> None:
        assert snapshot(replayed(self.log[:prefix], times=2)) == snapshot(replayed(self.log[:prefix]))

    def teardown(self) -> None:
        """At last everything is written and read, leases run out, and each submission is free or was closed."""
        for gateway in self.gateways:
            self._write(gateway, len(gateway.outbox))
        self.now += 10 * DELAY
        for gateway in self.gateways:
            self._read(gateway, len(self.log))
            assert snapshot(gateway.state) == snapshot(self.truth)
            for number in range(1, len(self.submissions) + 1):
                standing = self.truth.standing(uuid_of(number), self.now)
                assert (standing is Standing.CLOSED) == bool(self.ended[uuid_of(number)])
                assert standing is not Standing.LEASED

    # How it works.

    def _look_at(self, gateway: Gateway, number: int) -> None:
        match gateway.state.standing(uuid_of(number), self.now):
            case Standing.CLOSED:
                self._ack(gateway, number)
            case Standing.SUPERSEDED:
                by = int.from_bytes(gateway.state.superseded_by(uuid_of(number)))
                gateway.outbox.append(superseded(number, self.now, by=by, queue=self.submissions[number - 1][1]))

    def _ack(self, gateway: Gateway, number: int) -> None:
        gateway.held.discard(number)
        self.acked.add(number)

    def _return_all(self, gateway: Gateway) -> None:
        self.ready.extend(sorted(gateway.held))
        gateway.held.clear()

    def _received(self, gateway: Gateway, data: st.DataObject) -> int | None:
        """Let the gateway have one that is ready, or choose one that it has."""
        there = sorted(gateway.held.union(self.ready))
        number = data.draw(st.sampled_from(there)) if there else None
        if number in self.ready:
            self.ready.remove(number)
            gateway.held.add(number)
            self._look_at(gateway, number)
        return number

    def _write(self, gateway: Gateway, events: int) -> None:
        for _ in range(events):
            self._write_one(gateway)

    def _write_one(self, gateway: Gateway) -> None:
        event = gateway.outbox.pop(0)
        gateway.mine.add(len(self.log))
        self.log.append(event)
        standing = self.truth.standing(event.submission, event.at)
        was_superseded = standing is Standing.SUPERSEDED
        outcome = self.truth.apply(event)
        self._note(event, outcome, was_superseded=was_superseded)

    def _note(self, event: AnyEvent, outcome: Outcome, *, was_superseded: bool) -> None:
        """Hold the answer against what has to be, by a second, plainer account."""
        valid, gone = outcome.valid, {submission for _, submission in outcome.gone}
        key, until = self.lease_of.get(event.submission, (b"", 0.0))
        closed = bool(self.ended[event.submission])
        match event:
            case Submitted():
                self._check_that_nobody_loses_a_lease(event, gone)
            case Leased():
                assert valid == (not closed and not was_superseded and until <= event.at)
                if valid:
                    self.lease_of[event.submission] = (event.key, event.expires_at)
            case Extended() | Released():
                assert valid == (not closed and not was_superseded and key == event.key)
                if valid:
                    changed = (
                        (key, max(until, event.expires_at))
                        if isinstance(event, Extended)
                        else (b"", event.available_at)
                    )
                    self.lease_of[event.submission] = changed
            case Graded() | Amended():
                self._check_result(event, valid=valid, closed=closed)
            case Superseded() | Retired() | Parked():
                self.ended[event.submission] += not closed

    def _check_result(self, event: Graded | Amended, *, valid: bool, closed: bool) -> None:
        results = self.results_of.setdefault(event.submission, [])
        if isinstance(event, Amended):
            if valid and event.amendment >= len(results):
                results.append(event.digest)
            return
        # The first result or the newest may come once more: success for its sender, and nothing else.
        again = self.settled_by.get(event.submission) == event.key and event.digest in results[:1] + results[-1:]
        assert valid == (not closed or again)
        if not closed:
            self.settled_by[event.submission] = event.key
            results.append(event.digest)
        self.ended[event.submission] += not closed

    def _check_that_nobody_loses_a_lease(self, event: Submitted, gone: set[bytes]) -> None:
        for submission, (key, until) in self.lease_of.items():
            assert not key or until <= event.at or submission not in gone

    def _read(self, gateway: Gateway, events: int) -> None:
        for event in self.log[gateway.read : gateway.read + events]:
            is_mine = gateway.read in gateway.mine
            gateway.read += 1
            outcome = gateway.state.apply(event)
            for _, submission in outcome.gone:
                number = int.from_bytes(submission)
                if number in gateway.held:
                    self._look_at(gateway, number)
            if is_mine and outcome.valid:
                self._answer(event)

    def _answer(self, event: AnyEvent) -> None:
        """Tell the grader, now that the gateway knows that its event is valid."""
        if isinstance(event, Leased):
            self.graders.append(self.asked[event.key])
        elif isinstance(event, Extended):
            grader = self.asked[event.key]
            grader.until = max(grader.until, event.expires_at)


Gateways.TestCase.settings = settings(max_examples=examples(100, 3000), stateful_step_count=60, deadline=None)
TestAnyOrderOfEventsKeepsThePromises = pytest.mark.unmeasured(Gateways.TestCase)
