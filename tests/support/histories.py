"""Random histories: gateways with wrong clocks, settings that differ, replays of other windows, unknown events.

A plain account of who works on what, in true time, is held against what LedgerState says. `python -m
tests.support.histories 50000` plays so many and prints what happened in them.
"""

import random
import sys
from collections import Counter
from dataclasses import dataclass, field

import msgspec

from broker_setup.ledger.agreement import MAX_SECONDS
from broker_setup.ledger.answers import Standing, Take
from broker_setup.ledger.events import AnyEvent, Extended, Graded, Leased, Released
from broker_setup.ledger.frames import Frame, decode_frame, encode_frame
from broker_setup.ledger.heard import Heard
from broker_setup.ledger.state import LedgerState
from broker_setup.ledger.state.closed import CLOSED_SECONDS
from broker_setup.ledger.state.superseded import SUPERSEDABLE_SECONDS
from tests.support.ledger_events import extended, graded, id_of, leased, released, submitted, superseded, uuid_of

DELAY = 60.0
HOUR = 3600.0
WINDOW = 24 * HOUR
STEPS = 60
# For so long, at most, an event is on its way to the ledger.
IN_FLIGHT_SECONDS = 6.0
SUBMISSIONS = 5
URLS = ("https://lms/1", "https://lms/2")
QUEUES = ("openedx", "never")
ACCOUNTS = ("lms", "lms", "another")
MIN_AGES = (0.0, 2.0, 30.0, None)
UNKNOWN = [[99, 1.0, b"s", "of a later version"], [1, "spoilt"], None]
START = 1_000_000.0


@dataclass
class Gateway:
    """Its copy of the state, what it holds, and how far its machine's clock is off."""

    off: float = 0.0
    base: float = 0.0  # the same at its start: what its steady clock is off
    state: LedgerState = field(default_factory=LedgerState)
    read: int = 0
    held: set[int] = field(default_factory=set)
    outbox: list[AnyEvent] = field(default_factory=list)


@dataclass
class Work:
    """A grader that was told something: its submission, its key, and until when it works, in true time."""

    number: int
    key: str
    until: float


class History:
    """One history; `play` it, and it raises AssertionError where a promise is broken."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.now = START
        self.ledger: list[tuple[float, int, list[AnyEvent]]] = []  # when and by whom each frame was written
        self.gateways = [Gateway() for _ in range(3)]
        self.ready: list[int] = []
        self.acked: set[int] = set()
        self.submissions: list[tuple[str, str]] = []
        self.keys: dict[bytes, str] = {}
        self.working: list[Work] = []
        self.settled: dict[int, str] = {}
        self.told: set[int] = set()
        self.seen: Counter[str] = Counter()

    def play(self) -> None:
        """Play it to its end."""
        steps = [
            self.submit, self.poll, self.poll, self.write_and_read, self.write_and_read, self.read, self.put_result,
            self.extend, self.release, self.pass_time, self.set_a_clock, self.crash, self.lose_channel, self.run_out,
        ]  # fmt: skip
        for _ in range(STEPS):
            self.chance.choice(steps)()
            self.check()
        self.end()

    # What happens.

    def submit(self) -> None:
        if len(self.submissions) < SUBMISSIONS:
            gateway, url, queue = self.any(), self.chance.choice(URLS), self.chance.choice(QUEUES)
            self.submissions.append((url, queue))
            number = len(self.submissions)
            self.ready.append(number)
            age = self.chance.choice(MIN_AGES)
            account, listed = self.chance.choice(ACCOUNTS), self.chance.choice([True, False])
            event = submitted(
                number, self.now + gateway.off, url=url, queue=queue, min_age=age, account=account, listed=listed
            )
            gateway.outbox.append(event)

    def poll(self) -> None:
        gateway = self.any()
        # Agreement keeps one whose clock is farther off from this.
        number = self.receive(gateway)
        if number is None or abs(gateway.off) > MAX_SECONDS:
            return
        if gateway.state.standing(uuid_of(number), self.steady(gateway)) is Standing.FREE:
            before, key = gateway.state.lease_of(uuid_of(number)), f"key {len(self.keys)}"
            at = max(self.now + gateway.off, before.expires_at if before else 0.0)
            url, queue = self.submissions[number - 1]
            event = leased(number, at, key, until=at + DELAY, url=url, queue=queue)
            event = msgspec.structs.replace(event, after=before.key if before else b"")
            self.keys[event.key] = key
            gateway.outbox.append(event)

    def put_result(self) -> None:
        if self.working:
            work, gateway = self.chance.choice(self.working), self.any()
            self.catch_up(gateway)  # a barrier before each refusal
            verdict = gateway.state.may_take(id_of(work.number), work.key, b"reply", self.steady(gateway))
            running = [other for other in self.working if other.number == work.number and other.until > self.now]
            if work in running and work.number not in self.settled and not self.is_superseded(gateway, work.number):
                assert isinstance(verdict, Take), "good work was refused"
            if isinstance(verdict, Take) and not verdict.amendment:
                url, queue = self.submissions[work.number - 1]
                event = graded(work.number, self.now + gateway.off, work.key, b"reply", url=url, queue=queue)
                gateway.outbox.append(event)

    def extend(self) -> None:
        if self.working:
            work, gateway = self.chance.choice(self.working), self.any()
            at = self.now + gateway.off
            gateway.outbox.append(extended(work.number, at, work.key, at + DELAY))

    def release(self) -> None:
        if self.working:
            work, gateway = self.chance.choice(self.working), self.any()
            at = self.now + gateway.off
            delay = self.chance.choice([0.0, 10.0])
            work.until = min(work.until, self.now)
            self.now += 0.001
            gateway.outbox.append(released(work.number, at, work.key, available_at=at + delay))

    def pass_time(self) -> None:
        seconds = self.chance.choice([0.5, 3.0, 29.0, DELAY, DELAY, HOUR, 12 * HOUR])
        if seconds > IN_FLIGHT_SECONDS:
            for gateway in self.gateways:
                self.write(gateway)  # or it was given up
        self.now += seconds

    def set_a_clock(self) -> None:
        self.any().off = self.chance.choice([0.0, 0.0, -5.0, 10.0, -15.0, 15.0, 180.0, -180.0, 30 * HOUR])
        self.seen["clocks set"] += 1

    def crash(self) -> None:
        place = self.chance.randrange(len(self.gateways))
        gone = self.gateways[place]
        self.ready += sorted(gone.held)
        off = gone.off if abs(gone.off) <= MAX_SECONDS else 0.0
        made = self.gateways[place] = Gateway(off, off)
        # How far back each reads may differ: the least is a day.
        first = self.now - WINDOW * self.chance.choice([1.0, 1.0, 3.0])
        made.read = next((index for index, (at, *_) in enumerate(self.ledger) if at >= first), len(self.ledger))
        self.catch_up(made, is_replay=True)
        self.seen["replays"] += 1

    def lose_channel(self) -> None:
        gateway = self.any()
        self.ready += sorted(gateway.held)
        gateway.held.clear()

    def run_out(self) -> None:
        gateway = self.any()
        for lease in gateway.state.run_out(self.steady(gateway)):
            number = int.from_bytes(lease.submission)
            if number in gateway.held:
                gateway.held.remove(number)
                self.ready.append(number)

    def read(self) -> None:
        self.catch_up(self.any(), self.chance.randrange(1, 4))

    def write_and_read(self) -> None:
        for gateway in self.chance.sample(self.gateways, 3):
            self.write(gateway)
        for gateway in self.gateways:
            self.catch_up(gateway)

    # What is promised.

    def check(self) -> None:
        """Nobody works beside another, in true time; and what was settled is known by all who have read it."""
        working = Counter(work.number for work in self.working if work.until > self.now)
        assert all(number == 1 for number in working.values()), "two work on one submission"

    def end(self) -> None:
        """All is written and read: whoever has read another part of the ledger finds each submission as all do."""
        self.write_and_read()
        self.now += DELAY * 3
        late = Gateway()
        first = self.now - WINDOW
        late.read = next((index for index, (at, *_) in enumerate(self.ledger) if at >= first), len(self.ledger))
        self.catch_up(late, is_replay=True)
        self.now += DELAY * 2
        for number in range(1, len(self.submissions) + 1):
            if self.is_of_long_ago(number):
                continue
            standings = {each.state.standing(uuid_of(number), self.steady(each)) for each in (*self.gateways, late)}
            assert len(standings) == 1, f"gateways disagree on {number}: {standings}"
            assert standings != {Standing.LEASED}, "a lease has no end"
            somewhere = number in self.ready or any(number in gateway.held for gateway in self.gateways)
            assert somewhere or number in self.acked, "a submission was lost"
            if number in self.acked:
                assert standings == {Standing.CLOSED}, "acked, and nobody knows why"

    # How it works.

    def any(self) -> Gateway:
        return self.chance.choice(self.gateways)

    def steady(self, gateway: Gateway) -> float:
        return self.now + gateway.base

    def is_of_long_ago(self, number: int) -> bool:
        # Near the ends of what is remembered they may differ for as long as their clocks do.
        uuid = uuid_of(number)
        times = [at for at, _, events in self.ledger if any(event.submission == uuid for event in events)]
        spans = (SUPERSEDABLE_SECONDS, CLOSED_SECONDS, WINDOW)
        return any(abs(self.now - at - span) < 3 * HOUR or self.now - at > WINDOW for at in times for span in spans)

    def is_superseded(self, gateway: Gateway, number: int) -> bool:
        return gateway.state.standing(uuid_of(number), self.steady(gateway)) in {Standing.SUPERSEDED, Standing.CLOSED}

    def receive(self, gateway: Gateway) -> int | None:
        there = sorted(gateway.held.union(self.ready))
        number = self.chance.choice(there) if there else None
        if number in self.ready:
            self.ready.remove(number)
            gateway.held.add(number)
            self.look_at(gateway, number)
        return number if number in gateway.held else None

    def look_at(self, gateway: Gateway, number: int) -> None:
        match gateway.state.standing(uuid_of(number), self.steady(gateway)):
            case Standing.CLOSED:
                gateway.held.discard(number)
                self.acked.add(number)
            case Standing.SUPERSEDED:
                by = int.from_bytes(gateway.state.superseded_by(uuid_of(number)))
                queue = self.submissions[number - 1][1]
                gateway.outbox.append(superseded(number, self.now + gateway.off, by=by, queue=queue))

    def write(self, gateway: Gateway) -> None:
        events, gateway.outbox = gateway.outbox, []
        if not events:
            return
        body = encode_frame(Frame(b"id", "gateway", events, self.now + gateway.off)).body
        if self.chance.random() < 0.3:
            body = self.with_unknown_events(body)
        self.ledger.append((self.now, id(gateway), list(decode_frame(body).events)))
        self.seen["frames"] += 1

    def with_unknown_events(self, body: bytes) -> bytes:
        identity, writer, events, *more = msgspec.msgpack.decode(body)
        events.insert(self.chance.randrange(len(events) + 1), self.chance.choice(UNKNOWN))
        self.seen["unknown events"] += 1
        return msgspec.msgpack.encode([identity, writer, events, *more])

    def catch_up(self, gateway: Gateway, frames: int = 1_000_000, *, is_replay: bool = False) -> None:
        now = self.steady(gateway)
        heard = Heard(now) if is_replay else Heard(now, now)
        for _, writer, events in self.ledger[gateway.read : gateway.read + frames]:
            gateway.read += 1
            for event in events:
                outcome = gateway.state.apply(event, heard)
                self.seen["events read"] += 1
                for _, submission in outcome.gone:
                    if int.from_bytes(submission) in gateway.held:
                        self.look_at(gateway, int.from_bytes(submission))
                if writer == id(gateway) and outcome.valid and not is_replay:
                    self.answer(event)

    def answer(self, event: AnyEvent) -> None:
        """Tell the grader what its gateway has read back and found valid."""
        number = int.from_bytes(event.submission)
        match event:
            case Leased():
                self.working.append(Work(number, self.keys[event.key], self.written_at(event) + DELAY))
                self.seen["leases"] += 1
            case Extended():
                for work in self.working:
                    if work.key == self.keys[event.key] and work.until > self.now:
                        work.until = max(work.until, self.written_at(event) + DELAY)
            case Graded():
                self.settled[number] = self.keys[event.key]
                self.seen["results"] += 1
                for work in self.working:
                    work.until = self.now if work.number == number else work.until
            case Released():
                self.seen["releases"] += 1

    def written_at(self, event: AnyEvent) -> float:
        return next(at for at, _, events in reversed(self.ledger) if event in events)


def play(histories: int, first: int = 0) -> Counter[str]:
    """Play so many; return what was seen in them. A failure names the seed."""
    seen: Counter[str] = Counter()
    for seed in range(first, first + histories):
        history = History(seed)
        try:
            history.play()
        except AssertionError as error:
            raise AssertionError(f"history {seed}: {error}") from error
        seen += history.seen
    return seen


if __name__ == "__main__":
    print(dict(play(int(sys.argv[1]))))
