"""Waiting for a condition, with a deadline."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any

POLL_SECONDS = 0.05


async def eventually(condition: Callable[[], Any | Awaitable[Any]], seconds: float = 20.0) -> Any:
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


def _source(condition: Callable[[], Any]) -> str:
    try:
        return inspect.getsource(condition).strip()
    except (TypeError, OSError):  # a partial, a method of C, something typed in
        return repr(condition)
