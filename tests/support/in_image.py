"""Runs the image's commands as an engine does: its user and variables, a read-only root, a process number 1 of its own.

By the tools of util-linux, in name spaces for mounts and processes; the network is this machine's, so that a test's
broker, LMS and graders are within reach.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import psutil

from tests.support.built_image import BuiltImage
from tests.support.waiting import eventually

# $1 is the image's root, $2 the folder for the uploads, $3 user:group; the rest is what runs.
ENTER = """
set -e
mount --bind "$1" "$1"
mount --options remount,bind,ro "$1"
mount --types proc proc "$1/proc"
mount --rbind /dev "$1/dev"
mount --types tmpfs --options size=64m,mode=1777 tmpfs "$1/tmp"
mount --bind "$2" "$1/var/lib/xqueue/uploads"
root=$1 user=$3
shift 3
exec setpriv --no-new-privs chroot --userspec="$user" --groups="${user#*:}" "$root" "$@"
"""


class Container:
    """One command of the image while it runs; its log is in `log`."""

    def __init__(self, process: subprocess.Popen[bytes], words: list[str], user: str, log: Path) -> None:
        self._process = process
        self._words = words
        self._user, self._group = user.split(":")
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def process(self) -> psutil.Process:
        """The container's process number 1."""
        [process] = psutil.Process(self._process.pid).children()
        return process

    def has_begun(self) -> bool:
        """Whether its command is in the image by now, where others can join it, or has ended already."""
        try:
            return Path(f"/proc/{self.process.pid}/root").readlink() != Path("/")
        except (ValueError, psutil.NoSuchProcess, FileNotFoundError):
            return self._process.poll() is not None

    async def run(self, *command: str) -> tuple[int, str]:
        """Run a command beside it, as `docker exec` does; return its exit code and what it printed."""
        enter = ["nsenter", "--target", str(self.process.pid), "--mount", "--pid", "--root"]
        words = [*enter, "--setuid", self._user, "--setgid", self._group, "--", *self._words, *command]
        ran = await asyncio.to_thread(
            subprocess.run, words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        return ran.returncode, ran.stdout

    async def stop(self, within: float = 60) -> int:
        """Stop it as an engine does; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self._process.wait, within)

    async def ended(self, within: float = 120) -> int:
        """Return its exit code once it has ended."""
        return await asyncio.to_thread(self._process.wait, within)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@contextlib.asynccontextmanager
async def container(
    image: BuiltImage, folder: Path, *command: str, settings: Mapping[str, str]
) -> AsyncIterator[Container]:
    """Run a command of the image, or what it runs by itself, with these settings; it is gone when the block ends."""
    running = await asyncio.to_thread(_started, image, folder, command or image.config["Cmd"], settings)
    try:
        await eventually(running.has_begun)
        yield running
    finally:
        running.kill()


def _started(image: BuiltImage, folder: Path, command: Sequence[str], settings: Mapping[str, str]) -> Container:
    user = image.config["User"]
    uploads, log = folder / "uploads", folder / f"{command[0]}.log"
    uploads.mkdir(exist_ok=True)
    os.chown(uploads, *map(int, user.split(":")))
    variables = [*image.config["Env"], *(f"XQUEUE_{key}={value}" for key, value in settings.items())]
    words = ["/usr/bin/env", "--ignore-environment", f"--chdir={image.config['WorkingDir']}", *variables]
    enter = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", ENTER, "sh"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*enter, str(image.root), str(uploads), user, *words, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    return Container(process, words, user, log)


async def run_once(image: BuiltImage, folder: Path, *command: str, settings: Mapping[str, str]) -> str:
    """Run a command of the image to its end and return what it printed; it must succeed."""
    async with container(image, folder, *command, settings=settings) as running:
        code = await running.ended()
        assert code == 0, running.log
        return running.log
