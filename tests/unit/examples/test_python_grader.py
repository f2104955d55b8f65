"""The example that grades Python programs: right, wrong, failing, endless, greedy and littering ones."""

import json
import os
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import pytest

from broker_setup.wire.replies import FINE, check_strictly
from examples import python_grader
from tests.support.gateway import wait_until
from xqueue_grader import Submission

SUM = {"tests": [{"input": "3\n4\n", "output": "7\n"}, {"input": "1\n1\n", "output": "2\n"}]}


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a program longer by the clock: on a busy machine two seconds of computing may take more than ten of it."""
    monkeypatch.setattr(python_grader, "SECONDS", 60)


def graded(program: str, payload: object = SUM) -> Any:
    body = json.dumps({"student_response": program, "grader_payload": json.dumps(payload)})
    reply = python_grader.grade(Submission(body, {}, 1, "python", 1, "0" * 32))
    assert check_strictly(json.dumps(reply).encode()) == FINE
    return reply


def test_a_right_program_gets_all_points() -> None:
    reply = graded("print(int(input()) + int(input()))")
    assert (reply["correct"], reply["score"]) == (True, 1)
    assert "2 of 2 tests passed" in reply["msg"]


def test_a_program_that_is_right_sometimes_gets_some_points_and_sees_where_it_is_wrong() -> None:
    reply = graded("print(7)")
    assert (reply["correct"], reply["score"]) == (False, 0.5)
    assert "instead of\n2" in reply["msg"]


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("syntax error", "SyntaxError"),
        ("raise ValueError('<b> & such')", "&lt;b&gt; &amp; such"),
        ("while True: pass", "more than 2 s of computing"),
        ("x = 'x' * 10**9", "MemoryError"),
        ("print('x' * 10**7)", "your program failed"),
        ("open('big', 'w').write('x' * 10**7)", "File too large"),
        ("import os; os.kill(os.getpid(), 9)", "your program failed"),
        ("import os; print(os.environ)", "instead of"),
        ("print('\\x00\\x1b[31m')", "instead of"),
        ("import sys; sys.stdout.buffer.write(b'\\xff\\xfe')", "instead of"),
    ],
)
def test_a_program_that_fails_gets_no_points_and_is_told_why(
    program: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XQUEUE_AMQP_URL", "amqp://grader:password@broker/")
    reply = graded(program, {"tests": SUM["tests"][:1]})
    assert (reply["correct"], reply["score"]) == (False, 0)
    assert says in reply["msg"]
    assert "password" not in reply["msg"]


def test_a_program_that_sleeps_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_grader, "SECONDS", 0.5)
    assert "did not end within 0.5 s" in graded("import time; time.sleep(60)")["msg"]


def test_a_program_finds_nothing_to_read_or_replace_but_itself() -> None:
    assert graded("import os; print(*os.listdir())", {"tests": [{"input": "", "output": "program.py"}]})["correct"]


@pytest.mark.parametrize("replace", ["os.mkfifo('printed')", "os.symlink({secret!r}, 'printed')"], ids=["fifo", "link"])
def test_a_program_can_not_choose_what_the_grader_reads(tmp_path: Path, replace: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of the grader")
    program = f"""
import contextlib, os
with contextlib.suppress(FileNotFoundError):
    os.unlink("printed")
{replace.format(secret=str(secret))}
print("mine")
"""
    reading = Thread(target=lambda: replies.append(graded(program)), daemon=True)
    replies: list[Any] = []
    reading.start()
    reading.join(90)
    [reply] = replies
    assert "printed\nmine" in reply["msg"]
    assert "of the grader" not in reply["msg"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may start as many processes as it likes")
def test_a_program_starts_no_other() -> None:
    assert "Resource temporarily unavailable" in graded("import os; os.fork()")["msg"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's programs can start others")
def test_what_a_program_leaves_running_is_killed(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    program = f"""
import os, time
if os.fork() == 0:
    print(os.getpid(), file=open({str(mark)!r}, "w"), flush=True)
    time.sleep(60)
while not os.path.exists({str(mark)!r}) or not os.path.getsize({str(mark)!r}):
    time.sleep(0.01)
"""
    assert graded(program, {"tests": [{"input": "", "output": ""}]})["correct"]
    pid = int(mark.read_text())
    wait_until(lambda: not runs(pid), 60, "the program's child is still there")


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("payload", ["no JSON object", {}, {"tests": []}, {"tests": [{"in": 1}]}])
def test_an_authors_mistake_fails_loudly(payload: object) -> None:
    with pytest.raises((TypeError, KeyError, ZeroDivisionError)):
        graded("print(7)", payload)
