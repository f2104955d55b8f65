"""A grader of curl calls that offer HTTP/2 by an upgrade (h2c) with every request, as scripts with `--http2` do."""

import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.clients.task import PAUSE_SECONDS, TRIES, Task, submission_in


def why_not() -> str | None:
    """Say why this grader can't run here."""
    if not shutil.which("curl"):
        return "there is no curl"
    version = subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True, timeout=10).stdout
    return None if "HTTP2" in version.split() else "this curl was built without HTTP/2"


def grade(task: Task) -> None:
    """Grade with a cookie jar, which a shell script would have."""
    with tempfile.TemporaryDirectory() as folder:
        jar = Path(folder) / "cookies"

        def call(name: str, *arguments: str) -> dict[str, Any]:
            command = ["curl", "--http2", "-sS", "-v", "-m", "20", "--noproxy", "*", "-b", str(jar), "-c", str(jar)]
            done = subprocess.run(
                [*command, *arguments, f"{task.base}/{name}"], capture_output=True, text=True, check=True, timeout=30
            )
            assert "> Upgrade: h2c" in done.stderr, "this curl offers nothing"
            envelope: dict[str, Any] = json.loads(done.stdout)
            return envelope

        login = call("login/", *_form(task.login))
        assert login == {"return_code": 0, "content": "Logged in"}
        for _ in range(TRIES):
            if submission := submission_in(call(f"get_submission/?queue_name={task.queue}")):
                put = call("put_result/", *_form(task.result(submission)))
                assert put == {"return_code": 0, "content": ""}
                return
            time.sleep(PAUSE_SECONDS)
    raise AssertionError(f"nothing came from {task.queue}")


def _form(fields: dict[str, str]) -> list[str]:
    return [part for name, value in fields.items() for part in ("--data-urlencode", f"{name}={value}")]
