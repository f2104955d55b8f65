"""Makes attacks one after the other, and measures what each does to the processes and to good work beside it."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass, field
from time import monotonic

from bench.attack.arena import Arena, AttackError, Figure
from bench.attack.attacks import Attack
from bench.attack.memory import MIB, Memory
from bench.attack.turns import Turns
from bench.attack.witness import CALLS, Witness, longest, percentile
from broker_setup.topology import CHECKED_QUEUE, RESULTS_QUEUE

# What good work may wait for, beside what the machine itself makes a bare server's caller wait in the same moment. Of
# what was measured counts the share of time in which the services ran, of that in which they wanted to: on a quiet
# machine all of it.
CALL_SECONDS = 1.0
DELIVERED_SECONDS = 2.0
# For what an attack leaves to be worked off, and for memory to come back.
SETTLE_SECONDS = 90.0
# Where no times are looked at, the machine may do other things as well: an attack may take so many times as long.
UNTIMED = 3
AFTER_MIB = 100
QUIET_SECONDS = 0.5

# How many of the hostile results are parked, and how many were posted, since the attack began.
Ended = Callable[[], Awaitable[tuple[int, int]]]


@dataclass
class Outcome:
    """What an attack did: seconds, and MiB beyond what a process had before; `wrong` says which bounds it broke."""

    attack: Attack
    said: str = ""
    seconds: float = 0.0
    grown: dict[str, float] = field(default_factory=dict)
    kept: dict[str, float] = field(default_factory=dict)
    call_p99: float = 0.0
    healthz_longest: float = 0.0
    bare_longest: float = 0.0
    delivered_p99: float = 0.0
    rounds: int = 0
    figures: list[Figure] = field(default_factory=list)
    load: float = 0.0
    share: float = 1.0
    wrong: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        """Make it ready for JSON."""
        values = {name: value for name, value in vars(self).items() if name not in ("attack", "figures")}
        figures = [asdict(each) for each in self.figures]
        attack = {"row": self.attack.row, "who": self.attack.who, "name": self.attack.name, "mib": self.attack.mib}
        return attack | {"figures": figures} | values


class Battle:
    """One target, and a witness beside it."""

    def __init__(self, arena: Arena, witness: Witness, memory: Memory, *, is_timed: bool) -> None:
        """Watch with `memory`; there are bounds on time if `is_timed`."""
        self._is_timed = is_timed
        self._turns = Turns(arena.target.processes)
        self._arena = arena
        self._witness = witness
        self._memory = memory

    async def warm_up(self) -> None:
        """Return once good work goes through; what is loaded on first use is there then."""
        started = monotonic()
        while len(self._witness.took("delivered", since=started)) < 10:
            if monotonic() > started + SETTLE_SECONDS:
                raise AttackError(f"good work did not go through before any attack: {self._witness.wrong(0)[-3:]}")
            await asyncio.sleep(0.1)

    async def fight(self, attacks: Iterable[Attack]) -> AsyncIterator[Outcome]:
        """Make each attack, until a service has ended: the others would say nothing."""
        for attack in attacks:
            if self._memory.ended:
                return
            yield await self.make(attack)

    async def make(self, attack: Attack) -> Outcome:
        """Make one, and wait until all that came of it is worked off."""
        before = self._memory.begin()
        self._turns.begin()
        parked, came = await self._arena.parked(), self._witness.hostile()
        started = monotonic()
        outcome = Outcome(attack)
        self._arena.said.clear()
        self._arena.figures.clear()
        self._arena.conserved = 0
        try:
            async with asyncio.timeout(attack.deadline if self._is_timed else UNTIMED * attack.deadline):
                outcome.said = await attack.run(self._arena)
        except Exception as error:  # noqa: BLE001 - the table has a line for each, whatever comes
            late = f"within {attack.deadline:.0f} s" if isinstance(error, TimeoutError) else repr(error)
            outcome.wrong.append(f"it could not be made: {late}")
        outcome.wrong += self._arena.said
        outcome.figures += self._arena.figures

        async def ended() -> tuple[int, int]:
            return await self._arena.parked() - parked, len(self._witness.hostile() - came)

        outcome.wrong += await self._settled(before, started, ended)
        outcome.seconds = monotonic() - started
        left, posted = await ended()
        outcome.said += f"; {left} parked, {posted} posted"
        if conserved := self._arena.conserved:
            outcome.figures.append(Figure("posted or parked", left + posted, conserved, f" of {conserved}", conserved))
        most, now = self._memory.most(), self._memory.now()
        outcome.grown = {name: (most[name] - before[name]) / MIB for name in most}
        outcome.kept = {name: (now[name] - before[name]) / MIB for name in now}
        outcome.load = os.getloadavg()[0]
        self._look_at_good_work(outcome, started)
        self._look_at_figures(outcome)
        outcome.wrong += [f"{name} ended" for name in sorted(self._memory.ended)]
        outcome.wrong += [
            f"{name} grew by {grown:.0f} MiB, {attack.mib} allowed"
            for name, grown in outcome.grown.items()
            if grown > attack.mib
        ]
        return outcome

    def _look_at_good_work(self, outcome: Outcome, since: float) -> None:
        witness = self._witness
        calls, delivered = witness.took(*CALLS, since=since), witness.took("delivered", since=since)
        bare = witness.took("bare", since=since)
        outcome.rounds = len(delivered)
        outcome.share = self._turns.share()
        outcome.call_p99, outcome.delivered_p99 = percentile(calls, 0.99), percentile(delivered, 0.99)
        outcome.healthz_longest = longest(witness.took("healthz", since=since))
        outcome.bare_longest = longest(bare)
        if not self._is_timed:
            return
        wrong = witness.wrong(since)
        if wrong:
            outcome.wrong.append(f"{len(wrong)} good calls were not served, as {wrong[0]}")
        machine = outcome.bare_longest
        for what, took, most in (
            ("a good caller's p99 was", outcome.call_p99, CALL_SECONDS),
            ("/healthz took", outcome.healthz_longest, CALL_SECONDS),
            ("good work was delivered after", outcome.delivered_p99, DELIVERED_SECONDS),
        ):
            if took * outcome.share > most + machine:
                outcome.wrong.append(
                    f"{what} {took:.1f} s, a bare server's {machine:.1f} s, and services had their turn for "
                    f"{outcome.share:.0%} of the time"
                )

    def _look_at_figures(self, outcome: Outcome) -> None:
        for figure in outcome.figures:
            if figure.unit.strip() == "s":
                if self._is_timed and figure.value * outcome.share > figure.most + outcome.bare_longest:
                    outcome.wrong.append(f"{figure}")
            elif figure.value > figure.most or figure.value < (figure.least or 0):
                outcome.wrong.append(f"{figure}")

    async def _settled(self, before: dict[str, int], started: float, ended: Ended) -> list[str]:
        """Wait until what came of the attack is worked off; say what is not."""
        await asyncio.sleep(QUIET_SECONDS)
        owed = self._witness.owed()
        deadline = monotonic() + SETTLE_SECONDS
        while wrong := await self._unsettled(before, owed, started, ended):
            if monotonic() > deadline or self._memory.ended:
                break
            await asyncio.sleep(0.1)
        return wrong

    async def _unsettled(self, before: dict[str, int], owed: set[str], started: float, ended: Ended) -> list[str]:
        wrong = [
            f"{name} kept {(now - before[name]) / MIB:.0f} MiB"
            for name, now in self._memory.now().items()
            if now - before[name] > AFTER_MIB * MIB
        ]
        if lost := owed & self._witness.owed():
            wrong.append(f"{len(lost)} good results were not delivered, as {min(lost)}")
        if not self._witness.took("delivered", since=started):
            wrong.append("no good work was delivered")
        if waiting := await self._arena.count(RESULTS_QUEUE) + await self._arena.count(CHECKED_QUEUE):
            wrong.append(f"{waiting} results wait for the relay")
        # Dead letters are in no queue that is counted until they are stored.
        if self._arena.conserved and (missing := self._arena.conserved - sum(await ended())) > 0:
            wrong.append(f"{missing} results are neither parked nor posted yet")
        return wrong
