"""Tries a grader's file in a process of its own, and ends it when it takes too long."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from time import perf_counter

from xqueue_grader.submission import Submission
from xqueue_grader.trying.child import Outcome

_STDERR = 2


def try_beside(file: Path, function: str, submission: Submission, timeout: float) -> Outcome:
    """Have a file's function grade a submission, for `timeout` seconds at most; what it prints goes to stderr."""
    given = json.dumps({name: getattr(submission, name) for name in submission.__slots__}, default=dict).encode()
    with tempfile.TemporaryDirectory(prefix="xqueue-grader-") as folder:
        told = Path(folder, "outcome.json")
        command = [sys.executable, "-m", "xqueue_grader.trying.child", str(file.absolute()), function, str(told)]
        began = perf_counter()
        # A session of its own, so that what it has started ends with it.
        process = subprocess.Popen(  # noqa: S603 - this Python, and the file that was named
            command, stdin=subprocess.PIPE, stdout=_STDERR, start_new_session=True
        )
        try:
            process.communicate(given, timeout)
        except subprocess.TimeoutExpired:
            return Outcome(failed=f"it took longer than {timeout:g} s", seconds=perf_counter() - began)
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if not told.exists():
            return Outcome(failed=f"its process ended: {_how(process.returncode)}", seconds=perf_counter() - began)
        return Outcome(**json.loads(told.read_text(encoding="ascii")))


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
