"""How much memory a gateway has, now and at most while something goes on."""

import threading
from typing import Self

import psutil

from tests.support.gateway import Gateway

MIB = 1024 * 1024


class Memory:
    """Watches the resident memory of a gateway while the block runs; bytes."""

    def __init__(self, gateway: Gateway) -> None:
        assert gateway.process
        self._pid = gateway.process.pid
        self._over = threading.Event()
        self._watching = threading.Thread(target=self._watch)
        self._seen = [self.now()]

    @property
    def grown(self) -> int:
        return self.most - self._seen[0]

    @property
    def most(self) -> int:
        return max(self._seen)

    def __enter__(self) -> Self:
        self._watching.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watching.join()

    def now(self) -> int:
        return psutil.Process(self._pid).memory_info().rss

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            self._seen.append(self.now())
