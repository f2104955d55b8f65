"""Which CPU time our processes take, by the kernel's own accounting."""

import time

import psutil

SETTLED_SECONDS = 0.25  # a process is at rest if it uses next to nothing for so long
SETTLED_SHARE = 0.04  # of a core: what a gateway does without a request, and one tick of the kernel's clock
PATIENCE_SECONDS = 5.0


class Meter:
    """Reads the CPU seconds, user and system, of one process and of the processes that it has started."""

    def __init__(self, pid: int) -> None:
        """Read process `pid`."""
        self._process = psutil.Process(pid)

    def read(self) -> float:
        """Return the CPU seconds since the process began."""
        return sum(map(_seconds, (self._process, *self._process.children(recursive=True))))

    def at_rest(self) -> float:
        """Return them once it rests: what an answered request leaves to be done is part of its cost."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        before = self.read()
        while True:
            time.sleep(SETTLED_SECONDS)
            now = self.read()
            if now - before <= SETTLED_SHARE * SETTLED_SECONDS or time.monotonic() > deadline:
                return now
            before = now


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)
