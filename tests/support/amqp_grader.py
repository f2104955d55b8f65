"""A grader's script as a process, which logs to a file and may be killed."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass
class AmqpGrader:
    """The process."""

    process: asyncio.subprocess.Process
    log_file: Path

    @property
    def log(self) -> str:
        """What it has logged."""
        return self.log_file.read_text()

    async def kill(self) -> None:
        """Kill it with SIGKILL, and wait until it is gone."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def amqp_grader(
    script: Path, amqp_url: str, log: Path, python: str = sys.executable
) -> AsyncIterator[AmqpGrader]:
    """Run a script of the package's for as long as the block runs, in the environment of `python`."""
    env = os.environ | {"XQUEUE_AMQP_URL": amqp_url}
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(python, script, env=env, stdout=output, stderr=output)
    grader = AmqpGrader(process, log)
    try:
        yield grader
    finally:
        await grader.kill()
