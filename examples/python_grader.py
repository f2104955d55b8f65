r"""Grades a student's Python program: runs it with the course's input and compares what it prints.

    XQUEUE_AMQP_URL=amqp://my-grader:...@broker.example:5672/xqueue python examples/python_grader.py my-queue

The problem's author writes into the problem's grader_payload:

    {"tests": [{"input": "3\n4\n", "output": "7\n"}, ...]}

and the score is the share of the tests that pass.

What this does not protect from: the student's program runs as the user who runs this grader. It has little time, memory
and disk, it can start no other process (unless that user is root), and it gets nothing of our environment, where the
broker's password is. But it can read every file that the user can read, so the grader's environment in /proc, too; it
can use the network; and it may print what it likes, the expected output of a problem that it knows included. Run the
programs of strangers in a container, a virtual machine or a jail without a network, under a user of its own. This file
is where to begin, not where to end.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from xqueue_grader import Answer, Options, Submission, reply, run

SECONDS = 10
CPU_SECONDS = 2
MEMORY_BYTES = 256 * 1024 * 1024
FILE_BYTES = 1024 * 1024  # of what it prints, too: that goes to a file
SHOWN = 2000  # characters of a student's output

# What the student's process does first. (Between fork and exec, in a process that has threads, nothing is safe.)
LIMITED = f"""
import resource, runpy
for limit, most in (
    (resource.RLIMIT_AS, {MEMORY_BYTES}),
    (resource.RLIMIT_FSIZE, {FILE_BYTES}),
    (resource.RLIMIT_CORE, 0),
    (resource.RLIMIT_NPROC, 0),
):
    resource.setrlimit(limit, (most, most))
resource.setrlimit(resource.RLIMIT_CPU, ({CPU_SECONDS}, {CPU_SECONDS + 1}))
del resource, limit, most
runpy.run_path("program.py", run_name="__main__")
"""


@dataclass(frozen=True)
class Test:
    """One run: what the program reads and what it is to print."""

    input: str
    output: str


def grade(submission: Submission) -> Answer:
    """Run all tests of the problem; a payload that can't be read is the author's mistake, and fails loudly."""
    tests = [Test(**test) for test in json.loads(submission.grader_payload)["tests"]]
    failures = [failure for test in tests if (failure := failure_of(submission.student_response, test))]
    passed = len(tests) - len(failures)
    text = "\n\n".join([f"{passed} of {len(tests)} tests passed.", *failures[:1]])
    return reply(correct=not failures, score=passed / len(tests), text=text)


def failure_of(program: str, test: Test) -> str | None:
    """Run the program once; say what went wrong in words for the student, None if nothing did."""
    # What it prints goes to a file without a name: one in its folder it could replace, by a link to a file of ours say.
    with tempfile.TemporaryDirectory(prefix="grading-") as folder, tempfile.TemporaryFile() as printed:
        place = Path(folder)
        (place / "program.py").write_text(program, encoding="utf-8", errors="replace")
        child = subprocess.Popen(
            [sys.executable, "-I", "-B", "-c", LIMITED],
            cwd=place,
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            stdin=subprocess.PIPE,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            child.communicate(test.input.encode(), timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return f"Your program did not end within {SECONDS} s."
        finally:
            end(child)
        printed.seek(0)
        output = printed.read(FILE_BYTES).decode(errors="replace")
    if child.returncode == -signal.SIGXCPU:
        return f"Your program needed more than {CPU_SECONDS} s of computing."
    if child.returncode:
        return f"With the input\n{test.input}\nyour program failed:\n{output[-SHOWN:]}"
    if output.split() != test.output.split():
        return f"With the input\n{test.input}\nyour program printed\n{output[:SHOWN]}\ninstead of\n{test.output}"
    return None


def end(child: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the program, and of the processes that it started, if it could."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


if __name__ == "__main__":
    run(grade, *sys.argv[1:], options=Options(at_once=2, timeout=120))
