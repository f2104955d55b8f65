"""Waiting for a condition, with a deadline."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any

POLL_SECONDS = 0.05
# What comes, comes in a moment; a busy machine may take its time, and a test should not fail for that.
PATIENCE_SECONDS = 60.0


async def eventually(condition: Callable[[], Any | Awaitable[Any]], seconds: float = PATIENCE_SECONDS) -> Any:
    """Return the condition's first true value; fail with its last one if none comes in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {_source(condition)} is {value!r}")
        await asyncio.sleep(POLL_SECONDS)


async def quickest(call: Callable[[], Awaitable[float]], *, below: float, tries: int = 5) -> float:
    """Have `call` say how long it took, until that is `below` so many seconds; return the least.

    A machine that stands still for a moment makes one call slow, code that is slow makes all of them slow.
    """
    least = float("inf")
    for _ in range(tries):
        least = min(least, await call())
        if least < below:
            break
    return least


def _source(condition: Callable[[], Any]) -> str:
    try:
        return inspect.getsource(condition).strip()
    except (TypeError, OSError):  # a partial, a method of C, something typed in
        return repr(condition)
