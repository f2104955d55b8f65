"""A service as it runs in production, in a process of its own that ends with the test."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import psutil

from tests.support.warm_start import PROGRAMS, WarmProcess

Process = subprocess.Popen[bytes] | WarmProcess


class ServiceProcess:
    """One process; its log is in `log`."""

    def __init__(self, process: Process, log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def memory(self) -> int:
        """Resident memory, in bytes."""
        return int(psutil.Process(self._process.pid).memory_info().rss)

    async def kill(self) -> None:
        """Kill it with SIGKILL."""
        self._process.kill()
        await self.ended()

    def freeze(self) -> None:
        """Stop it as it stands; it can't be terminated until it is thawed."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    async def terminate(self, within: float = 60) -> int:
        """Stop it with SIGTERM; return its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return await self.ended(within)

    async def ended(self, within: float = 60) -> int:
        """Return the exit code once it has ended."""
        async with asyncio.timeout(within):
            while (code := self._process.poll()) is None:
                await asyncio.sleep(0.01)
        return code


@contextlib.asynccontextmanager
async def service_process(
    module: str, settings: Mapping[str, str], log: Path, *, cold: bool = False, code: Path | None = None
) -> AsyncIterator[ServiceProcess]:
    """Run `python -m module` with these settings and no others; it is gone when the block ends.

    `cold` is for what measures it: it is started as in production, and has no memory but its own. `code` is a
    folder with another version of the programs.
    """
    others = {name: value for name, value in os.environ.items() if not name.startswith("XQUEUE_")}
    environment = others | {f"XQUEUE_{key}": value for key, value in settings.items()}
    process = await asyncio.to_thread(started, module, environment, log, cold=cold, code=code)
    service = ServiceProcess(process, log)
    try:
        yield service
    finally:
        await service.kill()


def started(
    module: str, environment: Mapping[str, str], log: Path, *, cold: bool = False, code: Path | None = None
) -> Process:
    """Start `python -m module` with nothing but this environment, as `service_process` does."""
    if module in PROGRAMS and not cold:
        return WarmProcess(module, [], environment, [Path(os.devnull), log, log], code=code)
    with log.open("ab") as output:
        return subprocess.Popen([sys.executable, "-m", module], env=environment, stdout=output, stderr=output, cwd=code)
