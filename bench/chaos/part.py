"""One of XQueue's processes on a cluster, with a way of its own to each node: it can be cut off, frozen, killed."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import SIGCONT, SIGSTOP

from tests.support.proxy import Proxy
from tests.support.service_process import Process, started

END_SECONDS = 20.0


class Part:
    """A process and its ways to the nodes."""

    def __init__(
        self,
        name: str,
        module: str,
        *,
        settings: Mapping[str, str],
        log: Path,
        ways: Sequence[Proxy],
        url: str = "",
        cold: bool = True,
    ) -> None:
        """Lay it out; `settings` are XQueue's, by the names that its environment has, without XQUEUE_.

        A cold one is started as in production, another is forked from a process that has it imported.
        """
        self.name = name
        self.url = url
        self.ways = ways
        self._module = module
        self._log = log
        others = {key: value for key, value in os.environ.items() if not key.startswith("XQUEUE_")}
        self._env = others | {f"XQUEUE_{key}": value for key, value in settings.items()}
        self._cold = cold
        self._process: Process | None = None

    def knows(self, variables: Mapping[str, str]) -> None:
        """Add variables to the environment that it is started in."""
        self._env |= variables

    def start(self) -> None:
        """Start it, or start it again."""
        self._process = started(self._module, self._env, self._log, cold=self._cold)

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(END_SECONDS)

    def freeze(self) -> None:
        """Stop it as it stands."""
        if self._process is not None:
            self._process.send_signal(SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        if self._process is not None:
            self._process.send_signal(SIGCONT)

    def cut_off(self, *, sends: bool = False, hears: bool = False) -> None:
        """Pass nothing on between it and the cluster, or only what it `sends` or `hears`; its connections stay."""
        for way in self.ways:
            way.freeze(sent=not sends, heard=not hears)

    def join_again(self) -> None:
        """Pass everything on again."""
        for way in self.ways:
            way.thaw()

    @property
    def is_alive(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """All that it has logged."""
        return self._log.read_text()

    @property
    def connections(self) -> int:
        """How often it has connected to the broker until now."""
        return self.log.count("connected to the broker")
