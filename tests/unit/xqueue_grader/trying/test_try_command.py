"""`xqueue-grader try` on files as people have them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project import ROOT

GRADER = """
import os, sys, time
from urllib.request import urlopen
from xqueue_grader import reply, run

def grade(submission):
    print("what a function prints")
    return reply(correct=True, score=1, text=submission.student_response)

async def awaits(submission):
    return '{"correct": false, "score": "0", "msg": "x"}'

def raises(submission):
    raise ValueError("not this one")

def hangs(submission):
    time.sleep(600)

def dies(submission):
    os._exit(3)

def hungry(submission):
    return reply(correct=True, score=1, text=str(len(bytearray(200_000_000))))

def reads_files(submission):
    return reply(correct=True, score=1, text=urlopen(submission.files["../a b"]).read().decode())

run(reads_files, "openedx")  # which would begin to work, without the guard that it should have
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my_grader.py").write_text(GRADER)
    (tmp_path / "submission.json").write_text('{"student_response": "Hello", "files": {"../a b": "attached.txt"}}')
    (tmp_path / "attached.txt").write_text("what was attached")
    return tmp_path


def tried(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "xqueue_grader", "try", *arguments]
    environment = {"PYTHONPATH": str(ROOT / "grader"), "PATH": ""}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)


def test_a_reply_is_shown_as_its_student_reads_it(folder: Path) -> None:
    ran = tried(folder, "my_grader.py", "submission.json")
    lines = ran.stdout.splitlines()
    assert ran.returncode == 0, ran
    assert lines[:4] == [
        'reply     {"correct": true, "score": 1, "msg": "<pre>Hello</pre>"}',
        "taken     yes",
        "student   correct, 1 point, and reads",
        "          Hello",
    ]
    assert lines[4].startswith("cost      0.")
    assert "what a function prints" in ran.stderr


@pytest.mark.parametrize(
    ("function", "line", "code"),
    [
        ("awaits", "taken     NO: its score is not a number", 1),
        ("raises", "failed    it raised ValueError: not this one", 1),
        ("dies", "failed    its process ended: exit code 3", 1),
        ("reads_files", "          what was attached", 0),
    ],
)
def test_what_becomes_of_it_is_said(folder: Path, function: str, line: str, code: int) -> None:
    ran = tried(folder, f"my_grader.py:{function}", "submission.json")
    assert (ran.returncode, [each for each in ran.stdout.splitlines() if each.startswith(line)] != []) == (
        code,
        True,
    ), ran


def test_a_function_that_hangs_is_ended(folder: Path) -> None:
    ran = tried(folder, "my_grader.py:hangs", "submission.json", "--timeout", "1")
    assert (ran.returncode, "failed    it took longer than 1 s" in ran.stdout) == (1, True), ran


def test_programs_get_an_object_with_time_and_memory(folder: Path) -> None:
    ran = tried(folder, "my_grader.py:hungry", "submission.json", "--json")
    told = json.loads(ran.stdout)
    assert (told["taken"], told["text"]) == (True, "200000000")
    assert told["memory"] - told["memory_before"] > 150_000_000
    assert told["seconds"] > 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("nowhere.py", "submission.json"), "there is no file nowhere.py"),
        (("my_grader.py:nothing", "submission.json"), "has no function 'nothing'"),
        (("my_grader.py", "nowhere.json"), "can't read nowhere.json: No such file or directory"),
    ],
)
def test_what_can_not_be_tried_is_said_in_a_line(folder: Path, arguments: tuple[str, ...], complaint: str) -> None:
    ran = tried(folder, *arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("xqueue-grader try: ")
    assert complaint in ran.stderr
    assert ran.stderr.count("\n") == 1
