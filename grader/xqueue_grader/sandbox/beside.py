"""A grader that works beside a test that knows nothing of event loops: in a thread with one of its own."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Event, Thread

from xqueue_grader.grader import Grader
from xqueue_grader.options import Options
from xqueue_grader.pools import Grade


@contextmanager
def grading_beside(url: str, queues: Sequence[str], grade: Grade, options: Options | None = None) -> Iterator[None]:
    """Grade while the block runs, and finish what is under way; raise what ended the grader, if anything did."""
    beside = _Beside(Grader(url, queues, grade, options))
    beside.start()
    try:
        yield
    finally:
        beside.stop()
    if beside.failed:
        raise beside.failed


class _Beside:
    def __init__(self, grader: Grader) -> None:
        self._grader = grader
        self._loop: asyncio.AbstractEventLoop | None = None
        self._begun = Event()
        self._thread = Thread(target=self._run, name="grader", daemon=True)
        self.failed: Exception | None = None

    def start(self) -> None:
        self._thread.start()
        self._begun.wait()

    def stop(self) -> None:
        assert self._loop
        if self._thread.is_alive():
            with suppress(RuntimeError):  # it ended by itself, just now
                self._loop.call_soon_threadsafe(self._grader.stop)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._grade())
        except Exception as error:  # noqa: BLE001 - raised where the block ends
            self.failed = error

    async def _grade(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._begun.set()
        await self._grader.run()
