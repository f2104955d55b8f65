"""Runs many workers on a fixed number of jobs and takes the time: the same way for every figure."""

import json
from asyncio import TaskGroup
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter

Worker = Callable[[int], Awaitable[None]]


@dataclass(frozen=True)
class Pace:
    """How fast it went: jobs a second, and milliseconds of the median and of the slowest hundredth."""

    rate: float
    p50: float = 0.0
    p99: float = 0.0

    def as_json(self) -> str:
        """Encode it as the line that a program of the bench hands over."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> "Pace":
        """Read that line."""
        return cls(**json.loads(line))


async def paced(workers: Sequence[Worker], count: int, first: int = 0) -> Pace:
    """Let the workers do jobs `first` to `first + count`, each one at a time, and return the pace."""
    numbers = iter(range(first, first + count))
    took: list[float] = []

    async def work(worker: Worker) -> None:
        for number in numbers:
            began = perf_counter()
            await worker(number)
            took.append(perf_counter() - began)

    began = perf_counter()
    async with TaskGroup() as group:
        for worker in workers:
            group.create_task(work(worker))
    elapsed = perf_counter() - began
    took.sort()
    return Pace(count / elapsed, 1000 * took[len(took) // 2], 1000 * took[len(took) * 99 // 100])
