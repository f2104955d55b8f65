"""How much memory each process of a stack has, and the most it had."""

import threading
from collections.abc import Mapping
from typing import Self

import psutil

MIB = 1024 * 1024
LOOK_SECONDS = 0.05
# Looking for processes of a process takes long.
CHILDREN_EVERY = 5


class Memory:
    """Watches the resident memory of processes, each with those that it started; bytes."""

    def __init__(self, processes: Mapping[str, int]) -> None:
        """Watch these, by name."""
        self._watched = {name: psutil.Process(pid) for name, pid in processes.items()}
        self._children: dict[str, list[psutil.Process]] = {name: [] for name in processes}
        self._over = threading.Event()
        self._watching = threading.Thread(target=self._watch, daemon=True)
        self.ended: set[str] = set()
        self._most = self.now()

    def __enter__(self) -> Self:
        """Begin to watch."""
        self._watching.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching."""
        self._over.set()
        self._watching.join()

    def now(self) -> dict[str, int]:
        """Say what each has now; what has ended has nothing."""
        return {name: self._of(name) for name in self._watched}

    def begin(self) -> dict[str, int]:
        """Forget the most that each had, and say what it has now."""
        self._most = self.now()
        return dict(self._most)

    def most(self) -> dict[str, int]:
        """Say the most that each had since then."""
        return dict(self._most)

    def _of(self, name: str) -> int:
        process = self._watched[name]
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                raise psutil.NoSuchProcess(process.pid)  # noqa: TRY301
            own = int(process.memory_info().rss)
        except psutil.NoSuchProcess:
            self.ended.add(name)
            return 0
        return own + sum(map(_resident, self._children[name]))

    def _watch(self) -> None:
        looks = 0
        while not self._over.wait(LOOK_SECONDS):
            if looks % CHILDREN_EVERY == 0:
                self._look_for_children()
            looks += 1
            for name, bytes_now in self.now().items():
                self._most[name] = max(self._most[name], bytes_now)

    def _look_for_children(self) -> None:
        for name, process in self._watched.items():
            try:
                self._children[name] = process.children(recursive=True)
            except psutil.NoSuchProcess:
                self._children[name] = []


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
