"""The bystander's process, and what it has told so far."""

import asyncio
import contextlib
import json
import math
import sys
from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict

from bench.attack.bystander import Step, Work
from deploy.local.ports import pick

CALLS = ("submit", "take", "put")


class Witness:
    """What good work took beside an attack."""

    def __init__(self, process: asyncio.subprocess.Process, lms: str, grader: str) -> None:
        """Listen to a bystander whose LMS and passive grader are at these URLs."""
        self.lms = lms
        self.grader = grader
        self._process = process
        self._steps: list[Step] = []

    def begin(self, work: Work) -> None:
        """Let it begin to work."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(asdict(work)).encode() + b"\n")

    async def listen(self) -> None:
        """Take down what it says, until it ends."""
        assert self._process.stdout
        while line := await self._process.stdout.readline():
            self._steps.append(Step(**json.loads(line)))

    def took(self, *what: str, since: float) -> list[float]:
        """Return what such steps took that began since then, in order of length."""
        return sorted(step.took for step in self._steps if step.what in what and step.at >= since)

    def wrong(self, since: float) -> list[str]:
        """Return what good calls were answered that should have been served."""
        return [f"{step.what}: {step.wrong}" for step in self._steps if step.wrong and step.at >= since]

    def owed(self) -> set[str]:
        """Return the work that is done and was not delivered yet."""
        return self._keys("handed") - self._keys("delivered")

    def hostile(self) -> set[str]:
        """Return the callbacks of the attackers' submissions that came."""
        return self._keys("hostile")

    def _keys(self, what: str) -> set[str]:
        return {step.key for step in self._steps if step.what == what}


def percentile(ordered: list[float], share: float) -> float:
    """Return the value below which that share lies; 0 of none."""
    return ordered[min(len(ordered) - 1, math.ceil(len(ordered) * share) - 1)] if ordered else 0.0


def longest(values: Iterable[float]) -> float:
    """Return the largest; 0 of none."""
    return max(values, default=0.0)


@contextlib.asynccontextmanager
async def witness() -> AsyncIterator[Witness]:
    """Run a bystander; it works once it is told to begin."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bench.attack.bystander"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    try:
        where = json.loads(await process.stdout.readline())
        made = Witness(process, where["lms"], where["grader"])
        listening = asyncio.create_task(made.listen())
        try:
            yield made
        finally:
            listening.cancel()
    finally:
        process.kill()
        await process.wait()


@contextlib.asynccontextmanager
async def bare_server() -> AsyncIterator[str]:
    """Run a server that answers at once: what it takes is the machine's, beside the same attack. Yield its URL."""
    port = pick()
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.sink", str(port))
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.kill()
        await process.wait()
