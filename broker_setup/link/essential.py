"""Tasks without which a process is of no use: if one ends by itself, the process ends, to be started again."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

log = logging.getLogger(__name__)


def _stop_this_process(_: str) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@asynccontextmanager
async def essential(
    coroutines: Mapping[str, Coroutine[Any, Any, object]], *, stop: Callable[[str], None] = _stop_this_process
) -> AsyncIterator[None]:
    """Run the coroutines, by name, for as long as the block runs, then cancel them.

    One that ends before, in whatever way, is a mistake of ours. A process that is half dead answers and does nothing;
    so it says which task it was and stops itself with SIGTERM, and whoever supervises it starts another. Where the
    process is not ours to stop, `stop` is called with what happened.
    """
    stopping = False

    def ended(task: asyncio.Task[object]) -> None:
        if not stopping:
            error = None if task.cancelled() else task.exception()
            what = f"the task {task.get_name()!r} has ended: {_why(task, error)}"
            log.critical("%s; stopping", what, exc_info=error)
            stop(what)

    tasks = [asyncio.create_task(coroutine, name=name) for name, coroutine in coroutines.items()]
    for task in tasks:
        task.add_done_callback(ended)
    try:
        yield
    finally:
        stopping = True
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _why(task: asyncio.Task[object], error: BaseException | None) -> str:
    if task.cancelled():
        return "something cancelled it"
    if error is None:
        return "it returned, which it never should"
    # The type of an error says most about a mistake of ours, and some errors have no text.
    return ": ".join(part for part in (type(error).__name__, str(error)) if part)
