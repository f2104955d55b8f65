"""Runs a service as in production, with a heartbeat on its event loop: how long others wait for their turn.

The environment says of which program, HEARTBEAT_OF, and in which file the longest stall stands, HEARTBEAT_FILE.
"""

import asyncio
import json
import os
import sys
from importlib import import_module
from pathlib import Path
from time import process_time, thread_time
from typing import Any, NamedTuple

from gateway import serving
from tests.support.gateway import PATIENCE_SECONDS, wait_until

PROGRAM = "tests.support.heartbeat"
OF, FILE = "HEARTBEAT_OF", "HEARTBEAT_FILE"
BEAT_SECONDS = 0.002
WRITE_SECONDS = 0.1


class Stall(NamedTuple):
    """Seconds of CPU, for which a busy machine counts little, in which nobody else had a turn.

    Those of the event loop itself; and those of all threads, which may keep the interpreter from it.
    """

    own: float = 0.0
    threads: float = 0.0

    def longest(self, other: "Stall") -> "Stall":
        return Stall(max(self.own, other.own), max(self.threads, other.threads))

    def is_below(self, most: "Stall") -> bool:
        return self.own < most.own and self.threads < most.threads

    def shortest(self, other: "Stall") -> "Stall":
        return Stall(min(self.own, other.own), min(self.threads, other.threads))


class Heartbeat:
    """What a service writes of its stalls, seen from outside."""

    def __init__(self, of: str, folder: Path) -> None:
        """Begin with nothing in `folder`; run PROGRAM in this environment instead of the program `of`."""
        self._path = folder / "heartbeat"
        self.environment = {OF: of, FILE: str(self._path)}

    def begin(self) -> None:
        """Forget all stalls up to now."""
        reset = self._path.with_suffix(".reset")
        reset.touch()
        wait_until(lambda: not reset.exists(), PATIENCE_SECONDS, "the heart does not beat")

    def longest(self) -> Stall:
        """Return the longest stall since then."""
        for _ in range(2):  # the first may be of a moment before the last stall
            self._path.unlink(missing_ok=True)
            wait_until(self._path.exists, PATIENCE_SECONDS, "the heart does not beat")
        return Stall(*json.loads(self._path.read_text()))


async def beat(path: Path) -> None:
    """Note what CPU is taken between two beats."""
    reset, part = path.with_suffix(".reset"), path.with_suffix(".part")
    loop = asyncio.get_running_loop()
    longest, written = Stall(), loop.time()
    while True:
        own, threads = thread_time(), process_time()
        await asyncio.sleep(BEAT_SECONDS)
        longest = longest.longest(Stall(thread_time() - own, process_time() - threads))
        if loop.time() - written > WRITE_SECONDS:
            if reset.exists():
                longest = Stall()
                reset.unlink()
            part.write_text(json.dumps(longest))
            part.rename(path)
            written = loop.time()


def _with_heartbeat(main: Any, path: Path) -> None:
    beats = []

    def start() -> None:
        beats.append(asyncio.get_running_loop().create_task(beat(path)))

    if hasattr(main, "build"):  # what serves HTTP
        build = main.build

        def built(settings: Any, departure: Any) -> Any:
            app = build(settings, departure)

            class Beating:
                rest = app.rest  # where its server looks for its figures

                async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
                    if scope["type"] == "lifespan":
                        start()
                    await app(scope, receive, send)

            return Beating()

        main.build = built
    else:
        serve = main._serve

        async def beating_beside(relay: Any) -> None:
            start()
            await serve(relay)

        main._serve = beating_beside


if __name__ == "__main__":
    program = import_module(f"{os.environ[OF]}.starting")
    # A gateway is built elsewhere than where it is started.
    _with_heartbeat(serving if os.environ[OF] == "gateway" else program, Path(os.environ[FILE]))
    sys.exit(program.start())
