"""An LMS's own grader queue, the real edx-submissions: installed once in a run, served by a process of its own."""

import contextlib
import fcntl
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import requests

from tests.support.ports import free_port
from tests.support.project import ROOT

PASSWORD = "its password"
WATCHER, STRANGER = "watcher", "stranger"
_UV = Path(sys.executable).with_name("uv")
_DRIVER = ROOT / "tests/support/lms_site_driver.py"
_LOCK = ROOT / "deploy/requirements/edx-submissions.txt"


def installed(folder: Path) -> Path:
    """Install the package into a fresh virtual environment, or find it done; return its Python."""
    folder.mkdir(exist_ok=True)
    python = folder / "bin/python"
    with (folder.parent / f"{folder.name}.lock").open("w") as mutex:
        fcntl.flock(mutex, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            _uv("venv", "--clear", "--python", sys.executable, folder)
            _uv("pip", "install", "--require-hashes", "-r", _LOCK, "--python", python)
            (folder / "done").touch()
    return python


def _uv(*arguments: object) -> None:
    ran = subprocess.run(
        [str(_UV), "--quiet", *map(str, arguments)], capture_output=True, text=True, timeout=280, check=False
    )
    assert ran.returncode == 0, ran.stderr


class LmsSite:
    """The site; it can be stopped and started again, on the same port and with the same database."""

    def __init__(self, python: Path, folder: Path) -> None:
        self._python = python
        self._folder = folder
        self._port = free_port()
        self._session = requests.Session()
        self._session.trust_env = False
        self._process: subprocess.Popen[str] | None = None
        self.url = f"http://127.0.0.1:{self._port}/xqueue"

    def start(self) -> None:
        """Serve."""
        command = [str(self._python), "-P", str(_DRIVER), str(self._folder), str(self._port)]
        with (self._folder / "log").open("a") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self._process.stdout
        assert self._process.stdout.readline() == "ready\n", (self._folder / "log").read_text()

    def stop(self) -> None:
        """Serve no more: nobody listens on the port."""
        if self._process:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout
            self._process.stdout.close()
            self._process = None

    def submit(self, *answers: str, queue: str, **others: object) -> list[int]:
        """Hand in a submission of each answer, of a student of its own; return their ids."""
        asked = [{"student": f"{queue} {answer}", "answer": answer, "queue": queue} | others for answer in answers]
        ids: list[int] = self._post("submit", asked)["ids"]
        return ids

    def look(self) -> Mapping[str, Any]:
        """Show what became of each submission, by its id, and how often was put and logged in."""
        shown: dict[str, Any] = self._session.get(self._test("look"), timeout=60).json()
        return shown | {"submissions": {int(number): each for number, each in shown["submissions"].items()}}

    def became(self, ids: Sequence[int]) -> list[tuple[str, list[int]]]:
        """Say of each submission its status, and the scores that it was given."""
        submissions = self.look()["submissions"]
        return [(submissions[each]["status"], submissions[each]["scores"]) for each in ids]

    def answer_all(self, status: int) -> None:
        """Answer every request with this status from now on; 0: as it should be."""
        self._post("change", {"status": status})

    def be_slow(self, seconds: float) -> None:
        """Answer put_result/ so long after its score is stored."""
        self._post("change", {"seconds": seconds})

    def end_sessions(self) -> None:
        """Log everybody out."""
        self._post("change", {"sessions_end": True})

    def let_leases_run_out(self) -> None:
        """Have more than five minutes pass for what was handed out and has no result."""
        self._post("change", {"minutes": 6})

    def forget(self, ids: Sequence[int]) -> None:
        """Lose the scores of these, as if the database came from an earlier backup."""
        self._post("change", {"forget": ids})

    def _post(self, call: str, content: object) -> dict[str, Any]:
        answer = self._session.post(self._test(call), json=content, timeout=60)
        answer.raise_for_status()
        said: dict[str, Any] = answer.json()
        return said

    def _test(self, call: str) -> str:
        return self.url.replace("/xqueue", f"/test/{call}")

    def close(self) -> None:
        """Stop it for good."""
        self.stop()
        self._session.close()


@contextlib.contextmanager
def running_site(python: Path, folder: Path) -> Iterator[LmsSite]:
    """Run the site for as long as the block runs."""
    site = LmsSite(python, folder)
    site.start()
    try:
        yield site
    finally:
        site.close()
