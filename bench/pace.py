"""Runs many workers on a fixed number of jobs and takes the time: the same way for every figure."""

import json
from asyncio import TaskGroup
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter, process_time

# Does one job; it may return the seconds that count of it, if that is not all of them.
Worker = Callable[[int], Awaitable[float | None]]


@dataclass(frozen=True)
class Pace:
    """How fast it went: jobs a second, milliseconds of the median and of the slowest hundredth, CPU us for each job."""

    rate: float
    p50: float = 0.0
    p99: float = 0.0
    cpu: float = 0.0

    def as_json(self) -> str:
        """Encode it as the line that a program of the bench hands over."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> "Pace":
        """Read that line."""
        return cls(**json.loads(line))


class Watch:
    """Takes the time and this process's CPU time from now on."""

    def __init__(self) -> None:
        """Start."""
        self._began, self._used = perf_counter(), process_time()

    def pace(self, count: int, p50: float = 0.0, p99: float = 0.0) -> Pace:
        """Return the pace of `count` jobs that are done now."""
        return Pace(count / (perf_counter() - self._began), p50, p99, 1e6 * (process_time() - self._used) / count)


async def paced(workers: Sequence[Worker], count: int, first: int = 0) -> Pace:
    """Let the workers do jobs `first` to `first + count`, each one at a time, and return the pace."""
    numbers = iter(range(first, first + count))
    took: list[float] = []

    async def work(worker: Worker) -> None:
        for number in numbers:
            began = perf_counter()
            counted = await worker(number)
            took.append(perf_counter() - began if counted is None else counted)

    watch = Watch()
    async with TaskGroup() as group:
        for worker in workers:
            group.create_task(work(worker))
    took.sort()
    return watch.pace(count, 1000 * took[len(took) // 2], 1000 * took[len(took) * 99 // 100])
