"""Decides what a parent does for its workers: whom to start, and when, whom to retire, stop or kill, when to end.

No I/O: it is told what happened, and when in seconds of any clock, and answers with what is to be done.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from math import inf
from signal import SIGINT, SIGKILL, SIGTERM, Signals

from broker_setup.process.back_off import next_delay
from gateway.workers.actions import Action, End, Open, Retire, Say, Send, Start

# Whoever takes another's place reads the ledger first: a busy day takes half a minute, and the broker may be away.
READY_SECONDS = 300.0
# To be loaded, and to say something for the first time, takes seconds, and more on a machine that has much to do.
FIRST_WORD_SECONDS = 120.0
# A service stops by itself within 15 s, a retired worker within what `worker.py` gives it and as much again.
STOP_SECONDS = 17.0
RETIRE_SECONDS = 110.0
# A worker says every other second that it lives. Where we have not looked for so long, though we look that often, we
# have stood still ourselves, with the machine perhaps, and know nothing of others' silence.
SILENT_SECONDS = 60.0
STOOD_SECONDS = 15.0
LOOK_EVERY_SECONDS = 5.0


class Stage(Enum):
    """How far a worker is."""

    STARTING = auto()
    SERVING = auto()  # it takes connections
    READY = auto()  # and could answer every call
    LEAVING = auto()  # it takes no more, and serves those that it has
    STOPPING = auto()  # it was told to end


@dataclass
class _Worker:
    number: int
    since: float
    # Whose place it takes when it is ready.
    replaces: int | None
    stage: Stage = Stage.STARTING
    # When it has to be further, or gone.
    until: float = inf
    # When it last said something; while it is loaded it can't.
    heard: float = inf

    @property
    def due(self) -> float:
        can_be_silent = self.stage in {Stage.LEAVING, Stage.STOPPING}
        return self.until if can_be_silent else min(self.until, self.heard + SILENT_SECONDS)


class Crew:
    """All workers, by their process ids; each number from 1 to `count` has one, or is vacant for a while."""

    def __init__(self, count: int, stop_time: float = 0.0) -> None:
        """Have `count` workers, each of which serves on for `stop_time` seconds when it is told to stop."""
        self._count = count
        self._stop_seconds = stop_time + STOP_SECONDS
        self._workers: dict[int, _Worker] = {}
        # When the vacant numbers get a worker, and how long each number last had to wait.
        self._due: dict[int, float] = {}
        self._delays: dict[int, float] = {}
        # Whose workers are still to be replaced.
        self._outdated: list[int] = []
        # With what the parent ends, once all workers have.
        self._code: int | None = None
        self._has_served = False
        self._looked = inf

    def begin(self) -> Iterator[Action]:
        """Start the first alone: what keeps it from serving keeps all from it, and should be said once."""
        yield Start(1)

    def started(self, start: Start, pid: int, now: float) -> Iterator[Action]:
        """A process was started: it takes connections when it is ready, or at once if nobody else does."""
        until = now + (FIRST_WORD_SECONDS if start.replaces is None else READY_SECONDS)
        self._workers[pid] = _Worker(start.number, now, start.replaces, until=until)
        yield from self._open()

    def not_started(self, start: Start, why: str, now: float) -> Iterator[Action]:
        """A process could not be started, as the machine lacks something: the others go on, and it is tried again."""
        if start.replaces is not None:
            self._outdated.clear()
            yield Say(f"worker {start.number} can't be started ({why}): the others are not replaced", is_bad=True)
        else:
            delay = self._put_off(start.number, 0.0, now)
            yield Say(f"worker {start.number} can't be started ({why}); trying again in {delay:.1f} s", is_bad=True)

    def lives(self, pid: int, now: float) -> None:
        """A worker has said something."""
        worker = self._workers[pid]
        worker.heard = now
        if worker.stage is Stage.STARTING and worker.replaces is None:
            worker.until = inf

    def serves(self, pid: int) -> Iterator[Action]:
        """A worker takes connections: the numbers that never had one follow the first."""
        if self._workers[pid].stage is Stage.STARTING:
            self._workers[pid].stage, self._has_served = Stage.SERVING, True
            known = {worker.number for worker in self._workers.values()} | self._due.keys()
            yield from (Start(number) for number in range(1, self._count + 1) if number not in known)

    def is_ready(self, pid: int, now: float) -> Iterator[Action]:
        """A worker could answer every call: whom it replaces may go."""
        worker = self._workers[pid]
        if worker.stage is not Stage.SERVING:
            return
        worker.stage, worker.until = Stage.READY, inf
        yield Say(f"worker {worker.number} ({pid}) is ready")
        old, worker.replaces = worker.replaces, None
        if old is not None:
            self._workers[old].stage, self._workers[old].until = Stage.LEAVING, now + RETIRE_SECONDS
            yield Retire(old)

    def ended(self, pid: int, code: int, now: float) -> Iterator[Action]:
        """A worker has ended, by a signal if the code is negative."""
        worker = self._workers.pop(pid)
        who = f"worker {worker.number} ({pid})"
        if self._code is not None:
            if not self._workers:
                yield End(self._code)
            return
        if worker.stage is Stage.LEAVING:
            yield Say(f"{who} has ended, replaced")
        elif worker.replaces is not None:
            self._outdated.clear()
            yield Say(f"{who} ended with {code} before it was ready: the others are not replaced", is_bad=True)
        elif worker.stage is Stage.STARTING and not self._anybody_serves() and (code >= 0 or not self._has_served):
            # It says itself that it can't, and so would the next.
            yield from self._stop(SIGTERM, code, now)
        else:
            yield from self._vacant(worker, who, code, now, pid)
        yield from self._replace_next()
        yield from self._open()

    def hang_up(self) -> Iterator[Action]:
        """Replace all, one after the other, as on SIGHUP."""
        if self._code is None:
            self._outdated = list(range(1, self._count + 1))
            yield from self._replace_next()

    def stop(self, signal: Signals, now: float) -> Iterator[Action]:
        """Stop all; said again, tell them again. A process that was told by SIGINT ends with 0."""
        yield from self._stop(signal, 0 if signal is SIGINT else -signal, now)

    def look(self, now: float) -> Iterator[Action]:
        """Do what is due."""
        if now - self._looked > STOOD_SECONDS:
            for worker in self._workers.values():
                worker.heard = max(worker.heard, now)
        self._looked = now
        for number in [number for number, due in self._due.items() if due <= now]:
            del self._due[number]
            yield Start(number)
        for pid, worker in self._workers.items():
            if worker.due <= now:
                yield Say(f"worker {worker.number} ({pid}) {_late(worker, now)}: killing it", is_bad=True)
                yield Send(pid, SIGKILL)
                worker.until = worker.heard = inf

    def next_look(self) -> float:
        """Say when something is due; infinity if nothing is."""
        due = min([*self._due.values(), *(worker.due for worker in self._workers.values())], default=inf)
        listens = any(worker.heard < inf for worker in self._workers.values())
        return min(due, self._looked + LOOK_EVERY_SECONDS) if listens else due

    def _anybody_serves(self) -> bool:
        return any(worker.stage in {Stage.SERVING, Stage.READY} for worker in self._workers.values())

    def _open(self) -> Iterator[Action]:
        if not self._anybody_serves():
            starting = (pid for pid, worker in self._workers.items() if worker.stage is Stage.STARTING)
            yield from map(Open, starting)

    def _stop(self, signal: Signals, code: int, now: float) -> Iterator[Action]:
        self._code = code
        self._due.clear()
        for pid, worker in self._workers.items():
            if worker.stage is not Stage.STOPPING:
                worker.stage, worker.until, worker.replaces = Stage.STOPPING, now + self._stop_seconds, None
            yield Send(pid, signal)
        if not self._workers:
            yield End(code)

    def _vacant(self, worker: _Worker, who: str, code: int, now: float, pid: int) -> Iterator[Action]:
        successor = next((each for each in self._workers.values() if each.replaces == pid), None)
        if successor is not None:
            spoke = successor.heard < inf
            successor.replaces, successor.until = None, inf if spoke else now + FIRST_WORD_SECONDS
            yield Say(f"{who} ended with {code}; another is on its way", is_bad=True)
            return
        delay = self._put_off(worker.number, now - worker.since, now)
        yield Say(f"{who} ended with {code}; starting it again in {delay:.1f} s", is_bad=True)

    def _put_off(self, number: int, ran: float, now: float) -> float:
        """Let a number whose worker ran for `ran` seconds be vacant; return for how long."""
        delay = self._delays[number] = next_delay(self._delays.get(number), ran)
        self._due[number] = now + delay
        return delay

    def _replace_next(self) -> Iterator[Action]:
        under_way = any(worker.replaces or worker.stage is Stage.LEAVING for worker in self._workers.values())
        while self._outdated and not under_way and self._code is None:
            number = self._outdated.pop(0)
            # Who starts after this has read the settings anew.
            old = next((pid for pid, worker in self._workers.items() if worker.number == number), None)
            if old is not None:
                under_way = True
                yield Start(number, replaces=old)


def _late(worker: _Worker, now: float) -> str:
    if worker.stage is Stage.STARTING and worker.replaces is None:
        return f"has said nothing for {FIRST_WORD_SECONDS:g} s, since it was started"
    if worker.until > now:
        return f"has not said for {SILENT_SECONDS:g} s that it lives"
    return "does not end" if worker.replaces is None else f"is not ready after {READY_SECONDS:g} s"
